#!/bin/sh
# Brings Debian packages by the name of the program they are wanted for: system-packages.sh skopeo chromium …
# Installs where it may (root with apt-get); otherwise names what is missing and carries on, exit 0.
set -u
PATH=$PATH:/usr/sbin:/sbin
want=""
for program in "$@"; do
    package=$program
    found=$program
    case $program in
        htpasswd) package=apache2-utils ;;
        nginx) package=nginx-light ;;
        alertmanager) package=prometheus-alertmanager; found=prometheus-alertmanager ;;
        rsyslog) package="rsyslog rsyslog-gnutls"; found=rsyslogd ;;
        chromium) package="chromium chromium-driver"; found=chromedriver ;;
        java) package=openjdk-17-jre-headless ;;
        maven) found=mvn ;;
    esac
    command -v "$found" >/dev/null 2>&1 || want="$want $package"
done
[ -z "$want" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing system packages:$want" >&2
    apt-get update -qq >/dev/null 2>&1
    # A service that a package would start is not wanted: each test starts its own, on loopback.
    printf '#!/bin/sh\nexit 101\n' > /tmp/regsight-policy.$$ && chmod +x /tmp/regsight-policy.$$
    [ -e /usr/sbin/policy-rc.d ] || { mv /tmp/regsight-policy.$$ /usr/sbin/policy-rc.d; made=1; }
    # shellcheck disable=SC2086 # a list of names is meant
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $want >/dev/null 2>&1 ||
        echo "not all could be installed:$want (carrying on without)" >&2
    [ "${made:-}" = 1 ] && rm -f /usr/sbin/policy-rc.d
    rm -f /tmp/regsight-policy.$$
else
    echo "not on this machine, carrying on without:$want" >&2
    echo "  to have them: sudo apt-get install$want" >&2
fi
exit 0
