//! Access lines (`collector/access_line.py`): combined, and Harbor's timed form.

use crate::numbers::{apache_moment, digits, seconds_ns};
use crate::request::{action_of, read, result_of};
use crate::rows::Row;
use crate::reading::Reading;
use crate::text::{quoted, unescape, Span, NONE};
use crate::words::{channel, via};

/// Walks along a line whose parts are divided by single blanks.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    /// A run of visible ASCII, and the blank behind it.
    fn word(&mut self) -> Option<(usize, usize)> {
        let begin = self.at;
        while matches!(self.text.get(self.at), Some(0x21..=0x7e)) {
            self.at += 1;
        }
        let end = self.at;
        (end > begin && end - begin <= 255).then_some(())?;
        self.blank()?;
        Some((begin, end))
    }
    fn blank(&mut self) -> Option<()> {
        (self.text.get(self.at) == Some(&b' ')).then(|| self.at += 1)
    }
    /// (start, end, escaped) of what stands between quotes.
    fn quoted(&mut self) -> Option<(usize, usize, bool)> {
        let begin = self.at + 1;
        (self.text.get(self.at) == Some(&b'"')).then_some(())?;
        let (end, escaped) = quoted(self.text, begin)?;
        self.at = end + 1;
        Some((begin, end, escaped))
    }
    /// `[24/Nov/2026:02:17:24 +0000]`: its place.
    fn time(&mut self) -> Option<(usize, usize)> {
        let begin = self.at + 1;
        (self.text.get(self.at) == Some(&b'[') && self.text.get(begin + 26) == Some(&b']')).then_some(())?;
        self.at = begin + 27;
        Some((begin, begin + 26))
    }
}

pub fn combined(reading: &mut Reading, line: Span) -> Option<()> {
    let (inner, _) = reading.unwrapped(line)?;
    let row = read_combined(reading, line, inner)?;
    reading.add(row);
    Some(())
}

pub fn read_combined(reading: &mut Reading, line: Span, inner: Span) -> Option<Row> {
    let data = reading.pool.data;
    let text = &data[inner.start as usize..(inner.start + inner.len) as usize];
    let mut at = Cursor { text, at: 0 };
    let host = at.word()?;
    let _ident = at.word().filter(|&(from, to)| &text[from..to] == b"-")?;
    let user = at.word()?;
    if text[user.0..user.1].iter().any(|byte| matches!(byte, b'\\' | b'[')) {
        return None;
    }
    let time = at.time()?;
    at.blank()?;
    let request = at.quoted()?;
    at.blank()?;
    let (status, size) = (at.word()?, at.word()?);
    let _referer = at.quoted()?;
    at.blank()?;
    let agent = at.quoted()?;
    let mut forwarded = None;
    if at.at < text.len() {
        at.blank()?;
        forwarded = Some(at.quoted()?);
    }
    if at.at < text.len() {
        return None;
    }
    let actor = if &text[user.0..user.1] == b"-" { NONE } else { inner.part(user.0, user.1) };
    let mut row = Row::new(line, channel::ACCESS);
    row.timestamp = apache_moment(&text[time.0..time.1])?;
    row.actor = actor;
    row.forwarded_for = forwarded.map_or(NONE, |quoted| plain(reading, inner, quoted));
    fill(reading, inner, &mut row, host, request, status, size, agent)?;
    Some(row)
}

pub fn timed(reading: &mut Reading, line: Span) -> Option<()> {
    let (inner, wrapper_time) = reading.unwrapped(line)?;
    let data = reading.pool.data;
    let text = &data[inner.start as usize..(inner.start + inner.len) as usize];
    let mut at = Cursor { text, at: 0 };
    let own = if text[0] == b'[' {
        let time = at.time()?;
        if text.get(at.at) == Some(&b':') {
            at.at += 1;
        }
        at.blank()?;
        Some(apache_moment(&text[time.0..time.1])?)
    } else {
        None
    };
    let host = at.word()?;
    at.word().filter(|&(from, to)| &text[from..to] == b"-")?;
    let request = at.quoted()?;
    at.blank()?;
    let (status, size) = (at.word()?, at.word()?);
    let _referer = at.quoted()?;
    at.blank()?;
    let agent = at.quoted()?;
    at.blank()?;
    let (seconds, upstream) = (at.word()?, at.word()?);
    let upstream = &text[upstream.0..upstream.1];
    if !matches!(&text[at.at..], b"." | b"p") || upstream.len() > 200 {
        return None;
    }
    if !upstream.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b':' | b'-')) {
        return None;
    }
    let mut row = Row::new(line, channel::ACCESS);
    row.timestamp = own.or(wrapper_time).unwrap_or(reading.set.now);
    if &text[seconds.0..seconds.1] != b"-" {
        row.duration_ns = seconds_ns(&text[seconds.0..seconds.1])?;
    }
    fill(reading, inner, &mut row, host, request, status, size, agent)?;
    reading.add(row);
    Some(())
}

type Place = (usize, usize);

/// What both forms say in the same words. `inner` is the line that the places are in.
#[allow(clippy::too_many_arguments)]
fn fill(
    reading: &mut Reading, inner: Span, row: &mut Row, host: Place, request: (usize, usize, bool), status: Place, size: Place,
    agent: (usize, usize, bool),
) -> Option<()> {
    let data = reading.pool.data;
    let text = &data[inner.start as usize..(inner.start + inner.len) as usize];
    row.client = reading.address(inner.part(host.0, host.1))?;
    row.via = via::PEER;
    let code = &text[status.0..status.1];
    row.status = digits(code).filter(|code| (100..=599).contains(code))?;
    if code.len() != 3 {
        return None;
    }
    row.response_bytes = if &text[size.0..size.1] == b"-" { -1 } else { digits(&text[size.0..size.1])? };
    let (method, uri) = split_request(&text[request.0..request.1])?;
    if request.2 {
        return None;
    }
    row.method = inner.part(request.0, request.0 + method);
    row.uri = inner.part(request.0 + method + 1, request.0 + uri);
    row.agent = plain(reading, inner, agent);
    let asked = read(&mut reading.pool, row.method, row.uri)?;
    let named = !row.actor.is_none();
    row.action = action_of(&asked, row.status, named);
    (row.outcome, row.reason) = result_of(asked.kind, row.status, named);
    row.routed = asked.routed;
    row.repository = asked.repository;
    row.reference = asked.reference;
    row.digest = asked.digest;
    row.from_repository = asked.from_repository;
    Some(())
}

/// What stands between quotes, unescaped; `""` and `"-"` say nothing.
fn plain(reading: &mut Reading, inner: Span, (begin, end, escaped): (usize, usize, bool)) -> Span {
    let data = reading.pool.data;
    match &data[inner.start as usize + begin..inner.start as usize + end] {
        b"" | b"-" => NONE,
        _ if !escaped => inner.part(begin, end),
        written => {
            let from = reading.pool.arena.len();
            unescape(written, &mut reading.pool.arena);
            reading.pool.keep(from)
        }
    }
}

/// Of `GET /v2/ HTTP/1.1`: where the method and where the URI ends. None for other shapes.
fn split_request(text: &[u8]) -> Option<(usize, usize)> {
    let method = memchr::memchr(b' ', text)?;
    let last = memchr::memrchr(b' ', text)?;
    let capitals = text[..method].iter().all(u8::is_ascii_uppercase);
    let shape = capitals && (3..=20).contains(&method) && last > method + 1;
    let one_word = memchr::memchr(b' ', &text[method + 1..]) == Some(last - method - 1);
    (shape && one_word && text[last + 1..].starts_with(b"HTTP/")).then_some((method, last))
}
