//! The closed sets of words of `store/event.py`, as small numbers while rows are made.

macro_rules! words {
    ($module:ident: $($name:ident = $text:literal),* $(,)?) => {
        pub mod $module {
            words!(@number 0u8; $($name)*);
            pub const TEXT: &[&str] = &[$($text),*];
        }
    };
    (@number $at:expr; $name:ident $($rest:ident)*) => {
        #[allow(dead_code)]
        pub const $name: u8 = $at;
        words!(@number $at + 1; $($rest)*);
    };
    (@number $at:expr;) => {};
}

words!(action: PULL = "pull", CHECK = "check", LAYER_DOWNLOAD = "layer_download", LAYER_CHECK = "layer_check",
    PUSH = "push", LAYER_UPLOAD = "layer_upload", MOUNT = "mount", DELETE = "delete", TAG = "tag", UNTAG = "untag",
    LIST_TAGS = "list_tags", CATALOG = "catalog", LOGIN = "login", TOKEN = "token", LOGOUT = "logout", PING = "ping",
    REFERRERS = "referrers", SIGN = "sign", PERMISSION = "permission", CONFIG = "config", OTHER = "other");
words!(outcome: SUCCESS = "success", DENIED = "denied", FAILURE = "failure", UNKNOWN = "unknown");
words!(channel: APPLICATION = "application", AUDIT = "audit", ACCESS = "access");
// The first of these is "not told".
words!(reason: NONE = "", BAD_CREDENTIALS = "bad_credentials", NO_CREDENTIALS = "no_credentials", FORBIDDEN = "forbidden",
    CHALLENGE = "challenge", NOT_FOUND = "not_found", UNSUPPORTED = "unsupported", RATE_LIMITED = "rate_limited",
    ABORTED = "aborted", SERVER_ERROR = "server_error", INVALID = "invalid");
words!(via: NONE = "", PEER = "peer", FORWARDED = "forwarded");
