//! `collector/request.py` and `collector/image_reference.py` for URIs without percent signs in their path.

use crate::text::{Pool, Span, NONE};
use crate::words::{action, outcome, reason};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Base,
    Manifest,
    Blob,
    Upload,
    Tags,
    Catalog,
    Referrers,
    Token,
    Outside,
}

#[derive(Clone, Copy)]
pub struct Request {
    pub kind: Kind,
    pub action: u8,
    pub routed: bool,
    pub repository: Span,
    pub reference: Span,
    pub digest: Span,
    pub from_repository: Span,
}

fn bare(kind: Kind, action: u8, routed: bool) -> Request {
    Request { kind, action, routed, repository: NONE, reference: NONE, digest: NONE, from_repository: NONE }
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

pub fn is_repository(name: &[u8]) -> bool {
    name.len() <= 255 && name.split(|&byte| byte == b'/').all(is_component)
}

fn is_component(part: &[u8]) -> bool {
    let mut at = 0;
    loop {
        let begin = at;
        while at < part.len() && is_lower(part[at]) {
            at += 1;
        }
        if at == begin {
            return false;
        }
        match part.get(at) {
            None => return true,
            Some(b'.') => at += 1,
            Some(b'_') => at += if part.get(at + 1) == Some(&b'_') { 2 } else { 1 },
            Some(b'-') => {
                while part.get(at) == Some(&b'-') {
                    at += 1;
                }
            }
            Some(_) => return false,
        }
    }
}

pub fn is_tag(text: &[u8]) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    matches!(text.first(), Some(&first) if word(first))
        && text.len() <= 128
        && text.iter().all(|&byte| word(byte) || byte == b'.' || byte == b'-')
}

pub fn is_digest(text: &[u8]) -> bool {
    if text.len() > 300 || text.len() < 34 {
        return false;
    }
    let Some(colon) = memchr::memchr(b':', text) else { return false };
    let (algorithm, hex) = (&text[..colon], &text[colon + 1..]);
    if !(32..=256).contains(&hex.len()) || !hex.iter().fold(true, |all, &byte| all & OF_DIGEST[byte as usize]) {
        return false;
    }
    algorithm == b"sha256"
        || algorithm.split(|byte| b"+._-".contains(byte)).all(|part| {
            matches!(part.first(), Some(first) if first.is_ascii_alphabetic()) && part.iter().all(u8::is_ascii_alphanumeric)
        })
}

const OF_DIGEST: [bool; 256] = {
    let (mut table, mut at) = ([false; 256], 0);
    while at < 256 {
        let byte = at as u8;
        table[at] = byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-');
        at += 1;
    }
    table
};

/// `sha256-<64 hex>` and `sha512-<128 hex>`, with or without `.sig`, `.att`, `.sbom`.
pub fn is_evidence_tag(tag: &[u8]) -> bool {
    let (rest, size) = match tag.get(..7) {
        Some(b"sha256-") => (&tag[7..], 64),
        Some(b"sha512-") => (&tag[7..], 128),
        _ => return false,
    };
    rest.len() >= size
        && rest[..size].iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
        && matches!(&rest[size..], b"" | b".sig" | b".att" | b".sbom")
}

pub fn evidence_action(of: u8, tag: &[u8]) -> u8 {
    match of {
        action::PUSH if is_evidence_tag(tag) => action::SIGN,
        action::PULL if is_evidence_tag(tag) => action::REFERRERS,
        _ => of,
    }
}

/// What `method uri` asks; None where the Python grammar must look itself.
pub fn read(pool: &mut Pool, method: Span, uri: Span) -> Option<Request> {
    let text = pool.get(uri);
    let end = memchr::memchr(b'?', text).unwrap_or(text.len());
    let path = &text[..end];
    if !text.is_ascii() || memchr::memchr(b'%', path).is_some() || memchr::memmem::find(&path[..path.len().min(16)], b"://").is_some() {
        return None;
    }
    let verb = pool.get(method);
    let ping = if verb == b"GET" || verb == b"HEAD" { action::PING } else { action::OTHER };
    match path {
        b"/v2/" => return Some(bare(Kind::Base, ping, true)),
        b"/v2" | b"/" => return Some(bare(Kind::Base, ping, false)),
        b"/v2/_catalog" => {
            let get = verb == b"GET";
            return Some(bare(Kind::Catalog, if get { action::CATALOG } else { action::OTHER }, get));
        }
        b"/token" | b"/service/token" | b"/auth" | b"/auth/token" | b"/v2/token" | b"/v2/auth" | b"/jwt/auth"
        | b"/oauth2/token" => {
            let asked = verb == b"GET" || verb == b"POST";
            return Some(bare(Kind::Token, if asked { action::TOKEN } else { action::OTHER }, false));
        }
        _ => {}
    }
    let outside = Some(bare(Kind::Outside, action::OTHER, false));
    if !path.starts_with(b"/v2/") {
        return outside;
    }
    let slash = memchr::memrchr(b'/', path)?;
    let (front, last) = (&path[..slash], slash + 1);
    let marked = [
        (&b"/manifests"[..], Kind::Manifest),
        (b"/blobs/uploads", Kind::Upload),
        (b"/blobs", Kind::Blob),
        (b"/referrers", Kind::Referrers),
        (b"/tags", Kind::Tags),
    ];
    let Some((marker, kind)) = marked.iter().find(|(marker, _)| front.ends_with(marker)) else { return outside };
    let name_end = front.len() - marker.len();
    if name_end < 5 {
        return outside; // nothing stands between `/v2/` and the marker
    }
    let (name, reference) = (uri.part(4, name_end), uri.part(last, end));
    if *kind == Kind::Upload || (*kind == Kind::Blob && &path[last..] == b"uploads") {
        let query = if end < text.len() { uri.part(end + 1, text.len()) } else { uri.part(end, end) };
        return upload(pool, method, name, query, *kind == Kind::Upload);
    }
    Some(named(pool, verb, *kind, name, reference))
}

fn named(pool: &Pool, method: &[u8], kind: Kind, name: Span, reference: Span) -> Request {
    let last = pool.get(reference);
    if last.is_empty() || (kind == Kind::Tags && last != b"list") {
        return bare(Kind::Outside, action::OTHER, false);
    }
    let by_digest = is_digest(last);
    let mut done = match (kind, method) {
        (Kind::Manifest, b"GET") => action::PULL,
        (Kind::Manifest, b"HEAD") => action::CHECK,
        (Kind::Manifest, b"PUT") => action::PUSH,
        (Kind::Manifest, b"DELETE") => if by_digest { action::DELETE } else { action::UNTAG },
        (Kind::Blob, b"GET") => action::LAYER_DOWNLOAD,
        (Kind::Blob, b"HEAD") => action::LAYER_CHECK,
        (Kind::Blob, b"DELETE") => action::DELETE,
        (Kind::Tags, b"GET") => action::LIST_TAGS,
        (Kind::Referrers, b"GET") => action::REFERRERS,
        _ => action::OTHER,
    };
    let answered = done != action::OTHER;
    if kind == Kind::Manifest && !by_digest {
        done = evidence_action(done, last);
    }
    let digest_needed = kind == Kind::Blob || kind == Kind::Referrers;
    Request {
        kind,
        action: done,
        routed: answered && (by_digest || !digest_needed) && is_repository(pool.get(name)),
        repository: name,
        reference: if kind == Kind::Tags { NONE } else { reference },
        digest: if by_digest { reference } else { NONE },
        from_repository: NONE,
    }
}

fn upload(pool: &mut Pool, method: Span, name: Span, query: Span, closed: bool) -> Option<Request> {
    let (mut mount, mut digest, mut from) = (NONE, NONE, NONE);
    let text = pool.get(query);
    if memchr::memchr_iter(b'&', text).count() >= 49 {
        return None;
    }
    let mut at = 0;
    while at < query.len as usize {
        let text = pool.get(query);
        let end = memchr::memchr(b'&', &text[at..]).map_or(text.len(), |found| at + found);
        let equals = memchr::memchr(b'=', &text[at..end]).map_or(end, |found| at + found);
        let key = &text[at..equals];
        if key.iter().any(|byte| matches!(byte, b'%' | b'+')) {
            return None;
        }
        let wanted = match key {
            b"mount" => &mut mount,
            b"digest" => &mut digest,
            b"from" => &mut from,
            _ => {
                at = end + 1;
                continue;
            }
        };
        if wanted.is_none() && equals + 1 < end {
            *wanted = decoded(pool, query.part(equals + 1, end))?;
        }
        at = end + 1;
    }
    let verb = pool.get(method);
    let mounting = verb == b"POST" && !mount.is_none() && is_digest(pool.get(mount));
    let step = matches!(verb, b"POST" | b"PATCH" | b"PUT" | b"GET" | b"HEAD" | b"DELETE");
    let digest = mount.or(digest);
    let digest = if !digest.is_none() && is_digest(pool.get(digest)) { digest } else { NONE };
    Some(Request {
        kind: Kind::Upload,
        action: if mounting { action::MOUNT } else if step { action::LAYER_UPLOAD } else { action::OTHER },
        routed: closed && step && is_repository(pool.get(name)),
        repository: name,
        reference: digest,
        digest,
        from_repository: if mounting { from } else { NONE },
    })
}

/// A value of a query with its percent signs undone; None for what is not plain ASCII then.
fn decoded(pool: &mut Pool, value: Span) -> Option<Span> {
    let text = pool.get(value);
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(value);
    }
    let text = text.to_vec();
    let (from, mut at) = (pool.arena.len(), 0);
    while at < text.len() {
        match text[at] {
            b'%' => {
                let digits = text.get(at + 1..at + 3)?;
                let code = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
                if code >= 0x80 || digits[0] == b'+' {
                    return None;
                }
                pool.arena.push(code);
                at += 3;
            }
            b'+' => {
                pool.arena.push(b' ');
                at += 1;
            }
            byte => {
                pool.arena.push(byte);
                at += 1;
            }
        }
    }
    Some(pool.keep(from))
}

/// What the request turned out to be. `status` below 0: not told.
pub fn action_of(request: &Request, status: i64, named: bool) -> u8 {
    if request.action == action::MOUNT && status != 201 {
        return action::LAYER_UPLOAD;
    }
    if request.action == action::PING && named && request.routed && status < 404 {
        return action::LOGIN;
    }
    request.action
}

pub fn result_of(kind: Kind, status: i64, named: bool) -> (u8, u8) {
    match status {
        i64::MIN..=99 => (outcome::UNKNOWN, reason::NONE),
        100..=399 => (outcome::SUCCESS, reason::NONE),
        401 if named => (outcome::DENIED, reason::BAD_CREDENTIALS),
        401 if kind == Kind::Base => (outcome::UNKNOWN, reason::CHALLENGE),
        401 => (outcome::DENIED, reason::NONE),
        403 => (outcome::DENIED, reason::FORBIDDEN),
        404 => (outcome::FAILURE, reason::NOT_FOUND),
        405 | 415 | 501 => (outcome::FAILURE, reason::UNSUPPORTED),
        429 => (outcome::FAILURE, reason::RATE_LIMITED),
        499 => (outcome::FAILURE, reason::ABORTED),
        500.. => (outcome::FAILURE, reason::SERVER_ERROR),
        _ => (outcome::FAILURE, reason::INVALID),
    }
}
