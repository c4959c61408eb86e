//! A line of Distribution's stream: application lines in either formatter, and access lines
//! (`collector/distribution_log.py`, `collector/distribution_request.py`).

use crate::entry::{read_json, read_text, Entry, Kind as ValueKind};
use crate::numbers::{digits, go_duration, moment, Duration};
use crate::request::{action_of, read, result_of, Kind, Request};
use crate::rows::Row;
use crate::reading::{hash, Reading};
use crate::text::{unescape, Span, NONE};
use crate::words::{action, channel, outcome, reason, via};

const LONGEST_MESSAGE: usize = 500;
const MANIFEST_TYPES: &[u8] = b"application/vnd."; // as in `collector.distribution_request`

pub fn line(reading: &mut Reading, line: Span) -> Option<()> {
    let (inner, _) = reading.unwrapped(line)?;
    let text = reading.pool.get(inner);
    let mut entry = Entry::new();
    if text.starts_with(b"{") {
        if text.starts_with(b"{\"log\":") {
            return None;
        }
        read_json(&mut reading.pool, inner, &mut entry)?;
    } else if text.starts_with(b"time=") {
        read_text(&mut reading.pool, inner, &mut entry)?;
        if torn(reading.pool.get(entry.msg.text), &entry) {
            return None;
        }
    } else {
        let row = crate::access::read_combined(reading, line, inner)?;
        reading.found.access += 1;
        reading.found.routed += row.routed as usize;
        reading.add(row);
        return Some(());
    }
    if entry.msg.kind != ValueKind::Text || entry.level.kind != ValueKind::Text || entry.time.kind == ValueKind::Missing {
        return None;
    }
    let row = event(reading, &entry, line)?;
    let found = &mut reading.found;
    match reading.pool.get(entry.level.text) {
        b"info" | b"debug" | b"trace" => found.info = true,
        b"warning" | b"warn" => found.warning = true,
        _ => found.error = true,
    }
    match row {
        None => found.ignored += 1,
        Some(row) => match found.by_id.get(&row.id) {
            Some(&known) => {
                found.rows[known as usize].merge(&row);
                found.more_parts.push((found.rows[known as usize].line.start, row.line.start));
                found.ignored += 1;
            }
            None => {
                found.by_id.insert(row.id, found.rows.len() as u32);
                reading.add(row);
            }
        },
    }
    Some(())
}

fn torn(message: &[u8], entry: &Entry) -> bool {
    let last = if message.starts_with(b"response completed") { &entry.written } else { &entry.agent };
    entry.id.kind != ValueKind::Missing && last.kind == ValueKind::Missing
}

/// The outer None: doubtful. The inner: a line that is no event.
fn event(reading: &mut Reading, entry: &Entry, line: Span) -> Option<Option<Row>> {
    let message = reading.pool.get(entry.msg.text);
    if message == b"authorized request" || entry.id.word().is_none() {
        return Some(None);
    }
    let completed = message.starts_with(b"response completed");
    let refused = !completed && is_refusal(message);
    if !completed && !refused {
        return if message.starts_with(b"error checking authorization") { None } else { Some(None) };
    }
    let (method, uri) = (entry.method.word(), entry.uri.word());
    let request = read(&mut reading.pool, method, uri)?;
    let mut row = Row::new(line, channel::APPLICATION);
    if completed { answer(reading, entry, &request, &mut row)? } else { refusal(reading, entry, &request, &mut row)? }
    client(reading, entry.address.text, &mut row)?;
    row.timestamp = moment(reading.pool.get(entry.time.text))?;
    row.agent = entry.agent.word();
    row.method = method;
    row.uri = uri;
    row.host = entry.host.word();
    row.request_id = entry.id.word();
    row.repository = request.repository;
    row.reference = request.reference;
    row.digest = request.digest;
    row.from_repository = request.from_repository;
    row.letter = b'r';
    let (id, done) = (reading.pool.get(row.request_id), action::TEXT[row.action as usize].as_bytes());
    row.id = if row.action == action::UNTAG && !row.reference.word().is_none() {
        hash(&[id, done, reading.pool.get(row.reference)])
    } else {
        hash(&[id, done])
    };
    Some(Some(row))
}

fn answer(reading: &mut Reading, entry: &Entry, request: &Request, row: &mut Row) -> Option<()> {
    let pool = &mut reading.pool;
    row.status = entry.status.whole(pool);
    row.actor = entry.user.word();
    row.action = action_of(request, row.status, !row.actor.is_none());
    (row.outcome, row.reason) = result_of(request.kind, row.status, false);
    row.error_code = entry.code.word();
    let content = entry.content.word();
    if !content.is_none() && pool.get(content).starts_with(MANIFEST_TYPES) {
        row.media_type = content;
    }
    if pool.get(entry.detail.text) == b"client disconnected" {
        row.reason = reason::ABORTED;
    } else if pool.get(row.error_code) == b"unsupported" {
        row.reason = reason::UNSUPPORTED;
    }
    row.response_bytes = entry.written.whole(pool);
    if entry.duration.kind == ValueKind::Text {
        row.duration_ns = match go_duration(pool.get(entry.duration.text)) {
            Duration::Nanoseconds(value) => value,
            Duration::NotOne => -1,
            Duration::Unsure => return None,
        };
    }
    let (message, detail) = (entry.message.word(), entry.detail.word());
    row.error_message = match (message.is_none(), detail.is_none()) {
        (true, true) => NONE,
        (false, false) => {
            let both = [pool.get(message), b": ", pool.get(detail)].concat();
            pool.copy(&both)
        }
        _ => message.or(detail),
    };
    if row.error_message.word().len as usize > LONGEST_MESSAGE && !row.error_message.is_none() {
        let text = std::str::from_utf8(pool.get(row.error_message)).ok()?;
        let end = text.char_indices().nth(LONGEST_MESSAGE).map_or(text.len(), |(at, _)| at);
        row.error_message = row.error_message.part(0, end);
    }
    Some(())
}

fn is_refusal(message: &[u8]) -> bool {
    message.starts_with(b"error authorizing context")
        || message == b"user failed to authenticate"
        || refused_user(message).is_some()
}

/// `error authenticating user "…": `: (start, end, escaped) of the name as written.
fn refused_user(message: &[u8]) -> Option<(usize, usize, bool)> {
    let begin = b"error authenticating user \"".len();
    if !message.starts_with(b"error authenticating user \"") {
        return None;
    }
    let (end, escaped) = crate::text::quoted(message, begin)?;
    message[end..].starts_with(b"\": ").then_some((begin, end, escaped))
}

fn refusal(reading: &mut Reading, entry: &Entry, request: &Request, row: &mut Row) -> Option<()> {
    let pool = &mut reading.pool;
    let message = pool.get(entry.msg.text);
    if message.starts_with(b"error authorizing context") {
        if message.ends_with(b"invalid token") {
            return None; // the message is kept then, as Python does
        }
        row.reason = why(message);
    } else {
        row.reason = reason::BAD_CREDENTIALS;
        row.actor = match refused_user(message) {
            None => entry.username.word(),
            Some((begin, end, false)) => entry.msg.text.part(begin, end).word(),
            Some((begin, end, true)) => {
                let (name, from) = (message[begin..end].to_vec(), pool.arena.len());
                unescape(&name, &mut pool.arena);
                pool.keep(from).word()
            }
        };
    }
    row.action = action_of(request, -1, false);
    row.outcome = outcome::DENIED;
    if request.kind == Kind::Base {
        if row.reason == reason::BAD_CREDENTIALS || row.reason == reason::FORBIDDEN {
            row.action = action::LOGIN;
        } else {
            (row.outcome, row.reason) = (outcome::UNKNOWN, reason::CHALLENGE);
        }
    }
    Some(())
}

fn why(message: &[u8]) -> u8 {
    let ends = |endings: &[&[u8]]| endings.iter().any(|ending| message.ends_with(ending));
    if ends(&[b"invalid authorization credential", b"authorization token required"]) {
        reason::NO_CREDENTIALS
    } else if ends(&[b"authentication failure"]) {
        reason::BAD_CREDENTIALS
    } else if ends(&[b"insufficient scope"]) {
        reason::FORBIDDEN
    } else {
        reason::NONE
    }
}

/// `127.1.0.10:36077`, `[2001:db8::1]:33432`, or an address alone.
fn client(reading: &mut Reading, told: Span, row: &mut Row) -> Option<()> {
    if told.is_none() {
        return Some(());
    }
    let text = reading.pool.get(told);
    let mut host = told;
    if let Some(colon) = memchr::memrchr(b':', text) {
        let bracket = text[..colon].ends_with(b"]");
        if bracket || memchr::memchr(b':', text) == Some(colon) {
            let port = &text[colon + 1..];
            if port.len() > 5 {
                return None;
            }
            row.port = digits(port)?;
            host = if bracket && text[0] == b'[' { told.part(1, colon - 1) } else { told.part(0, colon) };
        }
    }
    row.client = reading.address(host)?;
    row.via = if row.port < 0 { via::FORWARDED } else { via::PEER };
    Some(())
}
