//! Times, durations and addresses: exactly what `collector/lines.py` makes of the common forms. None: not a common form.

use std::net::Ipv6Addr;

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
const DAY: i64 = 86_400;

pub fn digits(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    let mut value = 0i64;
    for &byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + (byte - b'0') as i64;
    }
    Some(value)
}

fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + leap as i64,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day < 1 || day > longest {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let (era, m) = (y.div_euclid(400), (month + 9) % 12);
    let of_era = y - era * 400;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * m + 2) / 5 + day - 1 - 719_468)
}

/// `hh:mm:ss` as seconds.
fn clock(text: &[u8]) -> Option<i64> {
    if text.len() != 8 || text[2] != b':' || text[5] != b':' {
        return None;
    }
    let (h, m, s) = (digits(&text[..2])?, digits(&text[3..5])?, digits(&text[6..])?);
    (h < 24 && m < 60 && s < 60).then_some(h * 3600 + m * 60 + s)
}

fn zone(text: &[u8], colon: bool) -> Option<i64> {
    let (hours, minutes) = match (text.len(), colon) {
        (6, true) if text[3] == b':' => (digits(&text[1..3])?, digits(&text[4..])?),
        (5, false) => (digits(&text[1..3])?, digits(&text[3..])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    match text[0] {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// RFC 3339 with up to nine digits of fraction, as µs since 1970.
pub fn moment(text: &[u8]) -> Option<i64> {
    if text.len() < 20 || text.len() > 35 || text[4] != b'-' || text[7] != b'-' || text[10] != b'T' {
        return None;
    }
    let year = digits(&text[..4])?;
    if !(1970..=9998).contains(&year) {
        return None;
    }
    let date = days(year, digits(&text[5..7])?, digits(&text[8..10])?)?;
    let mut seconds = date * DAY + clock(&text[11..19])?;
    let (mut at, mut micros) = (19, 0);
    if text[at] == b'.' {
        let end = at + 1 + text[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let fraction = &text[at + 1..end];
        if fraction.is_empty() || fraction.len() > 9 {
            return None;
        }
        let kept = &fraction[..fraction.len().min(6)];
        micros = digits(kept)? * 10i64.pow(6 - kept.len() as u32);
        at = end;
    }
    if &text[at..] != b"Z" {
        seconds -= zone(&text[at..], true)?;
    }
    Some(seconds * 1_000_000 + micros)
}

fn month(name: &[u8]) -> Option<i64> {
    MONTHS.chunks(3).position(|each| each == name).map(|at| at as i64 + 1)
}

/// `24/Nov/2026:02:17:24 +0000` as µs since 1970.
pub fn apache_moment(text: &[u8]) -> Option<i64> {
    if text.len() != 26 || text[2] != b'/' || text[6] != b'/' || text[11] != b':' || text[20] != b' ' {
        return None;
    }
    let year = digits(&text[7..11])?;
    if !(1970..=9998).contains(&year) {
        return None;
    }
    let date = days(year, month(&text[3..6])?, digits(&text[..2])?)?;
    Some((date * DAY + clock(&text[12..20])? - zone(&text[21..], false)?) * 1_000_000)
}

/// Days since 1970 to (year, month, day): `days` turned round.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z - era * 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let march = (5 * doy + 2) / 153; // months since March
    let month = if march < 10 { march + 3 } else { march - 9 };
    (yoe + era * 400 + (month <= 2) as i64, month, doy - (153 * march + 2) / 5 + 1)
}

/// `Nov  3 15:04:05` of syslog, in UTC: the newest such moment not more than a day behind `newest`. µs.
pub fn yearless_moment(text: &[u8], newest: i64) -> Option<i64> {
    if text.len() != 15 || text[3] != b' ' || text[6] != b' ' {
        return None;
    }
    let day = if text[4] == b' ' { digits(&text[5..6])? } else { digits(&text[4..6])? };
    let (month, clock) = (month(&text[..3])?, clock(&text[7..])?);
    let this = civil(newest.div_euclid(1_000_000 * DAY)).0;
    for year in [this + 1, this, this - 1, this - 2, this - 3, this - 4] {
        if let Some(date) = days(year, month, day) {
            let read = (date * DAY + clock) * 1_000_000;
            if read - newest <= DAY * 1_000_000 {
                return (1970..=9998).contains(&year).then_some(read);
            }
        }
    }
    None
}

/// The double nearest to `text` (digits, perhaps a point and more digits), as Python's `float`.
fn float(text: &[u8]) -> Option<f64> {
    let (mut mantissa, mut places, mut point) = (0u64, 0i32, false);
    for &byte in text {
        if byte == b'.' {
            point = true;
        } else {
            mantissa = mantissa.checked_mul(10)?.checked_add((byte - b'0') as u64)?;
            places += point as i32;
        }
    }
    if mantissa < 1 << 53 && places <= 22 {
        return Some(mantissa as f64 / 10f64.powi(places)); // both exact: one rounding
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

pub enum Duration {
    Nanoseconds(i64),
    NotOne,
    Unsure,
}

/// Go's `1m51.9s`, `2.4298s`, `941.512µs`.
pub fn go_duration(text: &[u8]) -> Duration {
    if text.len() > 40 {
        return Duration::Unsure;
    }
    let (mut total, mut at) = (0f64, 0);
    while at < text.len() {
        let begin = at;
        let whole = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        at += whole;
        let mut fraction = 0;
        if text.get(at) == Some(&b'.') {
            fraction = text[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            at += 1 + fraction;
        }
        if whole == 0 || whole > 12 || fraction > 12 {
            return Duration::Unsure;
        }
        let rest = &text[at..];
        let (unit, size): (f64, usize) = if rest.starts_with(b"ns") {
            (1.0, 2)
        } else if rest.starts_with(b"us") {
            (1e3, 2)
        } else if rest.starts_with("µs".as_bytes()) || rest.starts_with("μs".as_bytes()) {
            (1e3, 3)
        } else if rest.starts_with(b"ms") {
            (1e6, 2)
        } else if rest.starts_with(b"s") {
            (1e9, 1)
        } else if rest.starts_with(b"m") {
            (60e9, 1)
        } else if rest.starts_with(b"h") {
            (3600e9, 1)
        } else {
            return Duration::Unsure;
        };
        let Some(number) = float(&text[begin..at]) else { return Duration::Unsure };
        total += number * unit;
        at += size;
    }
    if at == 0 {
        Duration::NotOne
    } else if total < (1u64 << 62) as f64 {
        Duration::Nanoseconds(total.round_ties_even() as i64)
    } else {
        Duration::NotOne
    }
}

/// nginx' `0.001`, as ns.
pub fn seconds_ns(text: &[u8]) -> Option<i64> {
    let point = text.iter().position(|&byte| byte == b'.')?;
    let (whole, fraction) = (&text[..point], &text[point + 1..]);
    if whole.len() > 9 || fraction.len() > 6 {
        return None;
    }
    digits(whole)?;
    digits(fraction)?;
    Some((float(text)? * 1e9).round_ties_even() as i64)
}

pub enum Address {
    /// Already in its canonical form.
    AsWritten,
    Canonical(String),
    /// An IPv4 address that IPv6 wraps (`::ffff:10.0.0.1`): where it begins.
    Mapped(usize),
}

pub fn address(text: &[u8]) -> Option<Address> {
    if text.len() < 2 || text.len() > 39 {
        return None;
    }
    if let Some(inner) = text.strip_prefix(b"::ffff:") {
        if is_ipv4(inner) {
            return Some(Address::Mapped(7));
        }
    }
    if text.contains(&b':') {
        if !text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b':') {
            return None;
        }
        let read: Ipv6Addr = std::str::from_utf8(text).ok()?.parse().ok()?;
        if read.to_ipv4_mapped().is_some() {
            return None;
        }
        let shown = read.to_string();
        return Some(if shown.as_bytes() == text { Address::AsWritten } else { Address::Canonical(shown) });
    }
    is_ipv4(text).then_some(Address::AsWritten)
}

fn is_ipv4(text: &[u8]) -> bool {
    let (mut parts, mut value, mut length) = (0, 0u32, 0);
    for &byte in text {
        match byte {
            b'0'..=b'9' => {
                if length == 3 || (length > 0 && value == 0) {
                    return false;
                }
                value = value * 10 + (byte - b'0') as u32;
                length += 1;
            }
            b'.' => {
                if length == 0 || value > 255 || parts == 3 {
                    return false;
                }
                (parts, value, length) = (parts + 1, 0, 0);
            }
            _ => return false,
        }
    }
    parts == 3 && length > 0 && value <= 255
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn addresses_agree_with_the_standard_library() {
        for text in ["1.2.3.4", "01.2.3.4", "256.1.1.1", "1.2.3", "1.2.3.4.5", "0.0.0.0", "1..2.3", "1.2.3."] {
            assert_eq!(is_ipv4(text.as_bytes()), text.parse::<Ipv4Addr>().is_ok(), "{text}");
        }
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(moment(b"1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(moment(b"2026-11-24T02:17:47.123456789+01:00"), Some(1_795_483_067_123_456));
        assert_eq!(moment(b"2025-02-29T00:00:00Z"), None);
        assert_eq!(apache_moment(b"24/Nov/2026:02:17:47 +0100"), Some(1_795_483_067_000_000));
        for date in [(1, 1, 1), (1969, 12, 31), (1970, 1, 1), (2000, 2, 29), (2026, 11, 24), (2100, 3, 1), (9999, 12, 31)] {
            assert_eq!(civil(days(date.0, date.1, date.2).unwrap()), date);
        }
    }
}
