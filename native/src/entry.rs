//! One line of Go's logrus, JSON or text, as the fields that an event is made of (`collector/logrus_line.py`).

use crate::text::{json_unescape, quoted, unescape, Pool, Span, NONE};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Missing,
    Text,
    Number, // whole, not negative, at most 18 digits
    True,
    False,
    Other,
}

#[derive(Clone, Copy)]
pub struct Value {
    pub kind: Kind,
    pub text: Span,
    pub number: i64,
}

const MISSING: Value = Value { kind: Kind::Missing, text: NONE, number: -1 };

impl Value {
    fn text(text: Span) -> Value {
        Value { kind: Kind::Text, text, number: -1 }
    }
    fn plain(kind: Kind, number: i64) -> Value {
        Value { kind, text: NONE, number }
    }
    /// `collector.lines.word`
    pub fn word(&self) -> Span {
        self.text.word()
    }
    /// `collector.lines.whole`; -1 for None.
    pub fn whole(&self, pool: &Pool) -> i64 {
        match self.kind {
            Kind::Number => self.number,
            Kind::Text => crate::numbers::digits(pool.get(self.text)).unwrap_or(-1),
            _ => -1,
        }
    }
}

macro_rules! fields {
    ($structure:ident: $($field:ident = $key:literal),* $(,)?) => {
        pub struct $structure { $(pub $field: Value),* }
        impl $structure {
            pub fn new() -> Self { Self { $($field: MISSING),* } }
            fn slot(&mut self, key: &[u8]) -> Option<&mut Value> {
                $(if key == $key { return Some(&mut self.$field); })*
                None
            }
        }
        impl Slots for $structure {
            fn set(&mut self, key: &[u8], value: Value) {
                if let Some(slot) = self.slot(key) { *slot = value; }
            }
        }
    };
}

pub trait Slots {
    fn set(&mut self, key: &[u8], value: Value);
}

fields!(Entry: msg = b"msg", level = b"level", time = b"time", id = b"http.request.id", method = b"http.request.method",
    uri = b"http.request.uri", address = b"http.request.remoteaddr", agent = b"http.request.useragent",
    host = b"http.request.host", status = b"http.response.status", written = b"http.response.written",
    duration = b"http.response.duration", content = b"http.response.contenttype", user = b"auth.user.name", code = b"err.code", detail = b"err.detail",
    message = b"err.message", username = b"username");
fields!(AuditRow: id = b"id", time = b"op_time", operation = b"operation", description = b"operation_description",
    result = b"operation_result", resource = b"resource", resource_type = b"resource_type", username = b"username");

/// One compact JSON object that takes the whole line. None: not of that shape, or anything doubtful in it.
pub fn read_json(pool: &mut Pool, line: Span, into: &mut impl Slots) -> Option<()> {
    let data = pool.data;
    let text = &data[line.start as usize..(line.start + line.len) as usize];
    if text.len() < 2 || text[0] != b'{' || text[text.len() - 1] != b'}' {
        return None;
    }
    let mut at = 1;
    loop {
        if text.get(at) != Some(&b'"') {
            return None;
        }
        let (end, escaped) = quoted(text, at + 1)?;
        if escaped {
            return None;
        }
        let key = &text[at + 1..end];
        at = end + 1;
        if text.get(at) != Some(&b':') {
            return None;
        }
        at = blank(text, at + 1);
        let (value, end) = json_value(pool, line, text, at)?;
        into.set(key, value);
        match text.get(end)? {
            b',' => at = blank(text, end + 1),
            b'}' if end + 1 == text.len() => return Some(()),
            _ => return None,
        }
    }
}

fn blank(text: &[u8], at: usize) -> usize {
    if text.get(at) == Some(&b' ') { at + 1 } else { at }
}

fn json_value(pool: &mut Pool, line: Span, text: &[u8], at: usize) -> Option<(Value, usize)> {
    match text.get(at)? {
        b'"' => {
            let (end, escaped) = quoted(text, at + 1)?;
            let span = if escaped {
                let from = pool.arena.len();
                json_unescape(&text[at + 1..end], &mut pool.arena)?;
                pool.keep(from)
            } else {
                line.part(at + 1, end)
            };
            Some((Value::text(span), end + 1))
        }
        b'0'..=b'9' | b'-' => {
            let (number, end) = json_number(text, at)?;
            let kind = if number < 0 { Kind::Other } else { Kind::Number };
            Some((Value::plain(kind, number), end))
        }
        b't' if text[at..].starts_with(b"true") => Some((Value::plain(Kind::True, -1), at + 4)),
        b'f' if text[at..].starts_with(b"false") => Some((Value::plain(Kind::False, -1), at + 5)),
        b'n' if text[at..].starts_with(b"null") => Some((Value::plain(Kind::Other, -1), at + 4)),
        b'{' | b'[' => Some((Value::plain(Kind::Other, -1), skip(pool, line, text, at, 0)?)),
        _ => None,
    }
}

/// (value, end); -1 for what is negative or has a fraction.
fn json_number(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let negative = text[at] == b'-';
    let begin = at + negative as usize;
    let count = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = begin + count(begin);
    if end == begin || end - begin > 18 || (text[begin] == b'0' && (end - begin > 1 || negative)) {
        return None;
    }
    let mut value = crate::numbers::digits(&text[begin..end])?;
    if text.get(end) == Some(&b'.') {
        let places = count(end + 1);
        if places == 0 || places > 18 {
            return None;
        }
        end += 1 + places;
        value = -1;
    }
    match text.get(end) {
        Some(b'e' | b'E') => None,
        _ => Some((if negative { -1 } else { value }, end)),
    }
}

/// Past a nested value, as strictly as at the top.
fn skip(pool: &mut Pool, line: Span, text: &[u8], mut at: usize, depth: usize) -> Option<usize> {
    let open = text[at];
    if depth > 16 {
        return None;
    }
    let close = if open == b'{' { b'}' } else { b']' };
    at = blank(text, at + 1);
    if text.get(at) == Some(&close) {
        return Some(at + 1);
    }
    loop {
        if open == b'{' {
            if text.get(at) != Some(&b'"') {
                return None;
            }
            let (end, escaped) = quoted(text, at + 1)?;
            if escaped || text.get(end + 1) != Some(&b':') {
                return None;
            }
            at = blank(text, end + 2);
        }
        at = match text.get(at)? {
            b'{' | b'[' => skip(pool, line, text, at, depth + 1)?,
            _ => json_value(pool, line, text, at)?.1,
        };
        match text.get(at)? {
            b',' => at = blank(text, at + 1),
            byte if *byte == close => return Some(at + 1),
            _ => return None,
        }
    }
}

/// `time="…" level=info msg="…" key=value …`, one blank between the pairs. The keys behind level and msg are sorted, so a
/// line that ends in `username` has lost its end (`collector.distribution_log._torn`).
pub fn read_text(pool: &mut Pool, line: Span, into: &mut Entry) -> Option<()> {
    let data = pool.data;
    let text = &data[line.start as usize..(line.start + line.len) as usize];
    let (mut at, mut last) = (0, false); // a key behind `username` was seen
    loop {
        let begin = at;
        while at < text.len() && matches!(text[at], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'@' | b'/') {
            at += 1;
        }
        if at == begin || at - begin > 200 || text.get(at) != Some(&b'=') {
            return None;
        }
        let key = &text[begin..at];
        if key == b"username" && last {
            return None;
        }
        last |= key[0] == b'v';
        at += 1;
        let value = if text.get(at) == Some(&b'"') {
            let (end, escaped) = quoted(text, at + 1)?;
            let span = if escaped {
                let from = pool.arena.len();
                unescape(&text[at + 1..end], &mut pool.arena);
                pool.keep(from)
            } else {
                line.part(at + 1, end)
            };
            at = end + 1;
            span
        } else {
            let begin = at;
            while at < text.len() && (0x21..0x7f).contains(&text[at]) && text[at] != b'"' {
                at += 1;
            }
            line.part(begin, at)
        };
        into.set(key, Value::text(value));
        match text.get(at) {
            None => return (last || into.username.kind == Kind::Missing).then_some(()),
            Some(b' ') if at + 1 < text.len() => at += 1,
            _ => return None,
        }
    }
}
