//! Text without copies: spans of the block, or of an arena for what had to be unescaped.

pub const NONE: Span = Span { start: 0, len: u32::MAX };
const IN_ARENA: u32 = 1 << 31;

/// A piece of the block's bytes, or of the arena's (top bit of `start`); `NONE` where a line says nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start: u32,
    pub len: u32,
}

impl Span {
    pub fn of(start: usize, end: usize) -> Span {
        Span { start: start as u32, len: (end - start) as u32 }
    }
    pub fn is_none(self) -> bool {
        self.len == u32::MAX
    }
    pub fn part(self, from: usize, to: usize) -> Span {
        Span { start: self.start + from as u32, len: (to - from) as u32 }
    }
    /// None for the empty string too: `collector.lines.word`.
    pub fn word(self) -> Span {
        if self.len == 0 { NONE } else { self }
    }
    pub fn or(self, other: Span) -> Span {
        if self.is_none() { other } else { self }
    }
}

/// Where spans point to. All text in it is valid UTF-8 where a row refers to it.
pub struct Pool<'a> {
    pub data: &'a [u8],
    pub arena: Vec<u8>,
}

impl Pool<'_> {
    pub fn get(&self, span: Span) -> &[u8] {
        get(self.data, &self.arena, span)
    }
    pub fn keep(&mut self, from: usize) -> Span {
        Span { start: from as u32 | IN_ARENA, len: (self.arena.len() - from) as u32 }
    }
    pub fn copy(&mut self, text: &[u8]) -> Span {
        let from = self.arena.len();
        self.arena.extend_from_slice(text);
        self.keep(from)
    }
}

pub fn get<'a>(data: &'a [u8], arena: &'a [u8], span: Span) -> &'a [u8] {
    if span.is_none() {
        return b"";
    }
    let (start, len) = ((span.start & !IN_ARENA) as usize, span.len as usize);
    if span.start & IN_ARENA != 0 { &arena[start..start + len] } else { &data[start..start + len] }
}

pub const HEX: &[u8; 16] = b"0123456789abcdef";
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

fn zero_byte(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & HIGH
}

/// The first `"` or `\` at or behind `at`; the length if there is none.
pub fn quote_or_backslash(text: &[u8], mut at: usize) -> usize {
    while at + 8 <= text.len() {
        let word = u64::from_le_bytes(text[at..at + 8].try_into().unwrap());
        let found = zero_byte(word ^ (LOW * b'"' as u64)) | zero_byte(word ^ (LOW * b'\\' as u64));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < text.len() && text[at] != b'"' && text[at] != b'\\' {
        at += 1;
    }
    at
}

/// Behind the opening quote at `at`: (end of the text inside, whether it has escapes). None if it does not end.
pub fn quoted(text: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut escaped = false;
    loop {
        at = quote_or_backslash(text, at);
        match text.get(at)? {
            b'"' => return Some((at, escaped)),
            _ => {
                escaped = true;
                at += 1;
                let first = *text.get(at)?;
                at += if first < 0x80 { 1 } else { 0 }; // a multi-byte character holds neither quote nor backslash
            }
        }
    }
}

/// What JSON does not let stand in a string as it is, from `at` on: what is before it is copied, and `at` is behind it. None at
/// the end.
pub fn copy_until_escape(text: &[u8], at: &mut usize, to: &mut Vec<u8>) -> Option<u8> {
    let begun = *at;
    let mut end = begun;
    while end + 8 <= text.len() {
        let word = u64::from_le_bytes(text[end..end + 8].try_into().unwrap());
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        if control | zero_byte(word ^ (LOW * b'"' as u64)) | zero_byte(word ^ (LOW * b'\\' as u64)) != 0 {
            break; // one of these eight, or of the next ones by a carry: the loop below looks
        }
        end += 8;
    }
    while end < text.len() && text[end] >= 0x20 && text[end] != b'"' && text[end] != b'\\' {
        end += 1;
    }
    to.extend_from_slice(&text[begun..end]);
    *at = end + 1;
    text.get(end).copied()
}

fn hex(text: &[u8], upper: bool) -> Option<u32> {
    let mut value = 0;
    for &byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' if upper => byte - b'A' + 10,
            _ => return None,
        };
        value = value << 4 | digit as u32;
    }
    Some(value)
}

pub fn push_char(arena: &mut Vec<u8>, code: u32) -> Option<()> {
    let mut room = [0; 4];
    arena.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut room).as_bytes());
    Some(())
}

/// `collector.access_line.unescape`: Go's and nginx' escapes; unknown ones stay as they are.
pub fn unescape(text: &[u8], arena: &mut Vec<u8>) {
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if byte != b'\\' || at + 1 == text.len() {
            arena.push(byte);
            at += 1;
            continue;
        }
        let next = text[at + 1];
        let (code, size) = match next {
            b'x' => (text.get(at + 2..at + 4).and_then(|digits| hex(digits, true)), 4),
            b'u' => (text.get(at + 2..at + 6).and_then(|digits| hex(digits, false)), 6),
            _ => (None, 2),
        };
        if let Some(code) = code {
            if (next == b'x' && code > 0x7f) || push_char(arena, code).is_none() {
                arena.extend_from_slice(&text[at..at + size]);
            }
            at += size;
            continue;
        }
        let plain = match next {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            b'"' | b'\\' => next,
            _ => {
                arena.push(b'\\');
                at += 1; // the character behind it follows as any other, unless it is a backslash (above)
                let width = if next < 0x80 { 1 } else { utf8_width(next) };
                arena.extend_from_slice(&text[at..at + width]);
                at += width;
                continue;
            }
        };
        arena.push(plain);
        at += 2;
    }
}

fn utf8_width(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

/// The text inside a JSON string with escapes. None where the strict grammar is broken.
pub fn json_unescape(text: &[u8], arena: &mut Vec<u8>) -> Option<()> {
    let mut at = 0;
    while at < text.len() {
        if text[at] != b'\\' {
            arena.push(text[at]);
            at += 1;
            continue;
        }
        let plain = match *text.get(at + 1)? {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'u' => {
                let mut code = hex(text.get(at + 2..at + 6)?, true)?;
                at += 6;
                if (0xd800..0xdc00).contains(&code) {
                    if text.get(at..at + 2)? != b"\\u" {
                        return None;
                    }
                    let low = hex(text.get(at + 2..at + 6)?, true)?;
                    if !(0xdc00..0xe000).contains(&low) {
                        return None;
                    }
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    at += 6;
                }
                push_char(arena, code)?;
                continue;
            }
            _ => return None,
        };
        arena.push(plain);
        at += 2;
    }
    Some(())
}
