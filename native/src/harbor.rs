//! A row of Harbor's audit log: one JSON object a line (`collector/formats/harbor_audit.py`), or as Harbor forwards it
//! (`collector/harbor_audit_line.py`). What both mean is in `collector/harbor_operations.py`.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::entry::{read_json, AuditRow, Kind};
use crate::numbers::moment;
use crate::request::{is_digest, is_tag};
use crate::rows::Row;
use crate::reading::{hash, Reading};
use crate::text::{Pool, Span, NONE};
use crate::words::{action, channel, outcome};

pub fn line(reading: &mut Reading, line: Span) -> Option<()> {
    let text = reading.pool.get(line);
    if !text.starts_with(b"{\"") || text.starts_with(b"{\"log\":") {
        return None;
    }
    let mut told = AuditRow::new();
    read_json(&mut reading.pool, line, &mut told)?;
    let pool = &reading.pool;
    let number = told.id.whole(pool);
    let (operation, resource_type) = (told.operation.word(), told.resource_type.word());
    if number < 0 || operation.is_none() || resource_type.is_none() || told.time.kind != Kind::Text {
        return None;
    }
    let extended = told.result.kind != Kind::Missing || told.description.kind != Kind::Missing;
    let (operation, resource_type) = (pool.get(operation), pool.get(resource_type));
    let mut row = Row::new(line, channel::AUDIT);
    row.action = action_of(resource_type, operation)?;
    row.actor = told.username.word();
    let time = pool.get(told.time.text);
    row.timestamp = moment(time)?;
    row.letter = b'a';
    let table: &[u8] = if extended { b"ext" } else { b"classic" };
    row.id = hash(&[b"harbor", table, reading.set.registry.as_bytes(), &crate::rows::decimal(number as u64), time]);
    row.outcome = if told.result.kind == Kind::False { outcome::FAILURE } else { outcome::SUCCESS };
    if !told.resource.word().is_none() {
        subject(pool, &mut row, told.resource.word(), told.description.word())?;
    }
    reading.add(row);
    Some(())
}

const MARKERS: [&[u8]; 5] = [b"operator=\"", b"\" resourceType=\"", b"\" time=\"", b"\"]: action:", b", resource:"];
const DESCRIPTION: &[u8] = b", operation_description:";
static FINDERS: LazyLock<[Finder; 5]> = LazyLock::new(|| MARKERS.map(Finder::new));
static DESCRIPTION_FINDER: LazyLock<Finder> = LazyLock::new(|| Finder::new(DESCRIPTION));

/// `<time> [INFO] [/pkg/audit/manager.go:82][operator="U" resourceType="T" time="<Go's time>"]: action:<op>, resource:<res>`
pub fn forwarded(reading: &mut Reading, line: Span) -> Option<()> {
    let (inner, _) = reading.unwrapped(line)?;
    let pool = &reading.pool;
    let text = pool.get(inner);
    let mut at = [0usize; 5];
    for (place, marker) in at.iter_mut().zip(FINDERS.iter()) {
        *place = once(text, marker)??;
    }
    logger_head(&text[..at[0]])?;
    let (actor, kind) = (inner.part(at[0] + 10, at[1].max(at[0] + 10)), at[1] + 16);
    let time = at[2] + 8;
    let ordered = at[0] + 10 <= at[1] && kind <= at[2] && time <= at[3] && at[3] + 11 <= at[4];
    if !ordered || pool.get(actor).iter().any(|byte| matches!(byte, b'"' | b']' | b'%')) {
        return None;
    }
    let (kind, time, operation) = (&text[kind..at[2]], &text[time..at[3]], &text[at[3] + 11..at[4]]);
    let name = |word: &[u8]| (1..=60).contains(&word.len()) && word.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    let resource = at[4] + 11;
    let (end, description) = match once(text, &DESCRIPTION_FINDER)? {
        None => (text.len(), None),
        Some(place) if place >= resource => (place, Some(inner.part(place + DESCRIPTION.len(), text.len()))),
        Some(_) => return None,
    };
    if !name(kind) || !name(operation) || time.contains(&b'"') {
        return None;
    }
    if description.is_none() && !text[..at[0]].windows(11).any(|part| part == b"/pkg/audit/") {
        return None; // the newer logger always describes: the line has lost its end
    }
    let mut row = Row::new(line, channel::AUDIT);
    row.letter = b'a';
    row.timestamp = go_moment(time)?;
    row.action = action_of(kind, operation)?;
    row.actor = actor.word();
    let resource = inner.part(resource, end);
    row.id = hash(&[b"harbor-audit-line", time, pool.get(actor), kind, operation, pool.get(resource)]);
    row.outcome = outcome::SUCCESS; // of images and tags only what was done is told
    let mut described = description.unwrap_or(NONE).word();
    if !named_wholly(pool.get(resource)) {
        return None;
    }
    if !described.is_none() && !named_wholly(pool.get(described)) {
        described = NONE;
    }
    subject(pool, &mut row, resource, described)?;
    reading.add(row);
    Some(())
}

/// `_NAMED_WHOLLY` of the Python path: `name@sha256:<64 hex>`, `name@sha512:<128 hex>`, `name:tag`.
fn named_wholly(text: &[u8]) -> bool {
    if let Some(at) = memchr::memchr(b'@', text) {
        let hex = match text.get(at + 1..at + 8) {
            Some(b"sha256:") if text.len() == at + 8 + 64 => &text[at + 8..],
            Some(b"sha512:") if text.len() == at + 8 + 128 => &text[at + 8..],
            _ => return false,
        };
        return at > 0 && hex.iter().fold(true, |all, byte| all & (byte.is_ascii_digit() | (b'a'..=b'f').contains(byte)));
    }
    match memchr::memrchr(b':', text) {
        Some(at) => at > 0 && at + 1 < text.len() && !text[at + 1..].contains(&b'/'),
        None => false,
    }
}

/// Where a marker stands. The outer None: more than once.
fn once(text: &[u8], marker: &Finder) -> Option<Option<usize>> {
    let first = marker.find(text);
    match first {
        Some(at) if marker.find(&text[at + 1..]).is_some() => None,
        _ => Some(first),
    }
}

/// `2026-11-24T02:45:03Z [INFO] [/pkg/audit/manager.go:82][`
fn logger_head(head: &[u8]) -> Option<()> {
    let blank = memchr::memchr(b' ', head)?;
    moment(&head[..blank])?;
    let rest = head[blank..].strip_prefix(b" [INFO] [")?;
    let rest = rest.strip_prefix(b"/pkg/audit/manager.go:").or_else(|| rest.strip_prefix(b"/pkg/auditext/manager.go:"))?;
    let line = rest.strip_suffix(b"][")?;
    ((1..=6).contains(&line.len()) && line.iter().all(u8::is_ascii_digit)).then_some(())
}

/// Go's `time.String()`: `2026-11-24 02:45:03.798891657 +0000 UTC m=+2.905229558`.
fn go_moment(text: &[u8]) -> Option<i64> {
    let mut parts = text.split(|&byte| byte == b' ');
    let (day, clock, zone, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if zone.len() != 5 || name.is_empty() || name.len() > 40 || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    if let Some(monotonic) = parts.next() {
        let number = monotonic.strip_prefix(b"m=+")?;
        let point = memchr::memchr(b'.', number)?;
        let digits = |text: &[u8], most: usize| (1..=most).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
        if !digits(&number[..point], 20) || !digits(&number[point + 1..], 9) || parts.next().is_some() {
            return None;
        }
    }
    moment(&[day, b"T", clock, &zone[..3], b":", &zone[3..]].concat())
}

/// Images and tags alone: what is done to projects, accounts and settings is rare, and has more fields.
fn action_of(resource_type: &[u8], operation: &[u8]) -> Option<u8> {
    match (resource_type, operation) {
        (b"artifact", b"create") => Some(action::PUSH),
        (b"artifact", b"pull") => Some(action::PULL),
        (b"artifact", b"delete") => Some(action::DELETE),
        (b"tag", b"create") => Some(action::TAG),
        (b"tag", b"delete") => Some(action::UNTAG),
        _ => None,
    }
}

/// `collector.harbor_operations.subject_of_operation`
fn subject(pool: &Pool, row: &mut Row, resource: Span, description: Span) -> Option<()> {
    let (repository, tag, digest) = image(pool, resource)?;
    let described = if description.is_none() {
        NONE
    } else {
        let text = pool.get(description);
        let last = memchr::memrchr(b' ', text).map_or(0, |at| at + 1);
        image(pool, description.part(last, text.len()))?.2
    };
    row.repository = repository;
    row.reference = tag.or(digest);
    row.tag = tag;
    row.digest = digest.or(described);
    Some(())
}

/// (repository, tag, digest) of `collector.image_reference.read_image`.
fn image(pool: &Pool, whole: Span) -> Option<(Span, Span, Span)> {
    let text = pool.get(whole);
    if !text.is_ascii() {
        return None;
    }
    let (mut end, mut digest) = (text.len(), NONE);
    if let Some(at) = memchr::memrchr(b'@', text) {
        if is_digest(&text[at + 1..]) {
            (end, digest) = (at, whole.part(at + 1, text.len()));
        }
    }
    match memchr::memrchr(b':', &text[..end]) {
        Some(colon) if is_tag(&text[colon + 1..end]) => Some((whole.part(0, colon), whole.part(colon + 1, end), digest)),
        _ => Some((whole.part(0, end), NONE, digest)),
    }
}
