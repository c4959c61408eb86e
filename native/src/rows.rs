//! What was found in a block, as rows of spans, and how it becomes Arrow columns.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field};

use crate::text::{get, Span, HEX, NONE};
use crate::words;

#[derive(Clone, Copy)]
pub struct Row {
    pub line: Span, // without its line end; `line.start` is its place in the block
    pub letter: u8, // of the event's id: r, l, a
    pub id: [u8; 16],
    pub timestamp: i64,
    pub channel: u8,
    pub action: u8,
    pub outcome: u8,
    pub reason: u8,
    pub via: u8,
    pub routed: bool,
    pub certain: bool,
    pub port: i64, // numbers: -1 where the line says nothing
    pub status: i64,
    pub response_bytes: i64,
    pub duration_ns: i64,
    pub actor: Span,
    pub client: Span,
    pub agent: Span,
    pub forwarded_for: Span,
    pub method: Span,
    pub uri: Span,
    pub host: Span,
    pub request_id: Span,
    pub repository: Span,
    pub project: Span,
    pub reference: Span,
    pub tag: Span,
    pub digest: Span,
    pub from_repository: Span,
    pub error_code: Span,
    pub error_message: Span,
    pub media_type: Span,
}

impl Row {
    pub fn new(line: Span, channel: u8) -> Row {
        Row {
            line, channel, letter: b'l', id: [0; 16], timestamp: 0, action: 0, outcome: 0, reason: 0, via: 0, routed: false,
            certain: false, port: -1, status: -1, response_bytes: -1, duration_ns: -1, actor: NONE, client: NONE, agent: NONE, forwarded_for: NONE,
            method: NONE, uri: NONE, host: NONE, request_id: NONE, repository: NONE, project: NONE, reference: NONE, tag: NONE,
            digest: NONE, from_repository: NONE, error_code: NONE, error_message: NONE, media_type: NONE,
        }
    }

    /// What another line adds to a request that the block already told of (`collector.distribution_log._take`).
    pub fn merge(&mut self, other: &Row) {
        for (mine, theirs) in [
            (&mut self.port, other.port), (&mut self.status, other.status),
            (&mut self.response_bytes, other.response_bytes), (&mut self.duration_ns, other.duration_ns),
        ] {
            if *mine < 0 {
                *mine = theirs;
            }
        }
        for (mine, theirs) in [
            (&mut self.actor, other.actor), (&mut self.client, other.client), (&mut self.agent, other.agent),
            (&mut self.method, other.method), (&mut self.uri, other.uri), (&mut self.host, other.host),
            (&mut self.repository, other.repository), (&mut self.reference, other.reference),
            (&mut self.digest, other.digest), (&mut self.from_repository, other.from_repository),
            (&mut self.error_code, other.error_code), (&mut self.error_message, other.error_message),
            (&mut self.media_type, other.media_type),
        ] {
            *mine = mine.or(theirs);
        }
        if self.reason == 0 {
            self.reason = other.reason;
        }
        if self.via == 0 {
            self.via = other.via;
        }
        self.certain = true;
    }
}

/// Rows on their way into columns.
pub struct Columns<'a> {
    pub data: &'a [u8],
    pub arena: &'a [u8],
    pub rows: Vec<&'a Row>,
    pub ids: Vec<[u8; 16]>,
    pub more_parts: Vec<(u32, u32)>, // (place of the line that has the row, place of another that told of it), sorted
    pub stream: &'a str,
    pub offset: i64,
}

type Named = (Arc<Field>, ArrayRef);

type TextOf = fn(&Row) -> Span;
type WordOf = (fn(&Row) -> u8, &'static [&'static str], bool); // the last: the first word stands for nothing
type NumberOf = fn(&Row) -> i64;

const TEXTS: [(&str, TextOf); 17] = [
    ("actor", |row| row.actor), ("client_ip", |row| row.client), ("user_agent", |row| row.agent),
    ("forwarded_for", |row| row.forwarded_for), ("method", |row| row.method), ("uri", |row| row.uri),
    ("host", |row| row.host), ("request_id", |row| row.request_id), ("repository", |row| row.repository),
    ("project", |row| row.project), ("reference", |row| row.reference), ("tag", |row| row.tag),
    ("digest", |row| row.digest), ("from_repository", |row| row.from_repository), ("error_code", |row| row.error_code),
    ("error_message", |row| row.error_message), ("media_type", |row| row.media_type),
];
const WORDS: [(&str, WordOf); 6] = [
    ("channel", (|row| row.channel, words::channel::TEXT, false)), ("action", (|row| row.action, words::action::TEXT, false)),
    ("outcome", (|row| row.outcome, words::outcome::TEXT, false)), ("reason", (|row| row.reason, words::reason::TEXT, true)),
    ("client_via", (|row| row.via, words::via::TEXT, true)),
    ("join_confidence", (|row| row.certain as u8, &["", "certain"], true)),
];
const NUMBERS: [(&str, NumberOf); 4] = [
    ("client_port", |row| row.port), ("status", |row| row.status), ("response_bytes", |row| row.response_bytes),
    ("duration_ns", |row| row.duration_ns),
];
const CHUNK: usize = 128; // so many rows stay in the cache while each column takes what is its own

impl Columns<'_> {
    pub fn build(&self) -> StructArray {
        let rows = self.rows.len();
        let mut texts: Vec<Text> = TEXTS.iter().map(|_| Text::new(rows, 0)).collect();
        let mut words: Vec<Text> = WORDS.iter().map(|_| Text::new(rows, 0)).collect();
        let mut numbers: Vec<Vec<i64>> = NUMBERS.iter().map(|_| Vec::with_capacity(rows)).collect();
        let (mut times, mut offsets) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let mut ids = Text::new(rows, rows * 34);
        for (at, chunk) in self.rows.chunks(CHUNK).enumerate() {
            for (row, id) in chunk.iter().zip(&self.ids[at * CHUNK..]) {
                let mut shown = [b'-'; 34];
                shown[0] = row.letter;
                hex(id, &mut shown[2..]);
                ids.push(Some(&shown));
                times.push(row.timestamp);
                offsets.push(self.offset + row.line.start as i64);
            }
            for ((_, of), text) in TEXTS.iter().zip(&mut texts) {
                for row in chunk {
                    let span = of(row);
                    text.push((!span.is_none()).then(|| get(self.data, self.arena, span)));
                }
            }
            for ((_, (of, known, zero_is_null)), text) in WORDS.iter().zip(&mut words) {
                for row in chunk {
                    let word = of(row);
                    text.push((word != 0 || !zero_is_null).then(|| known[word as usize].as_bytes()));
                }
            }
            for ((_, of), values) in NUMBERS.iter().zip(&mut numbers) {
                values.extend(chunk.iter().map(|row| of(row)));
            }
        }
        let times = TimestampMicrosecondArray::new(ScalarBuffer::from(times), None).with_timezone("UTC");
        let offsets = Int64Array::new(ScalarBuffer::from(offsets), None);
        let mut made: Vec<Named> = vec![named("event_id", Arc::new(ids.array())), named("timestamp", Arc::new(times))];
        made.extend([named("offset", Arc::new(offsets)), self.parts()]);
        made.extend(TEXTS.iter().zip(texts).filter_map(|((name, _), text)| text.named(name)));
        made.extend(WORDS.iter().zip(words).filter_map(|((name, _), text)| text.named(name)));
        made.extend(NUMBERS.iter().zip(numbers).filter_map(|((name, _), values)| number(name, values)));
        let (fields, arrays): (Vec<_>, Vec<_>) = made.into_iter().unzip();
        StructArray::new(fields.into(), arrays, None)
    }

    fn parts(&self) -> Named {
        let mut text = Text::new(self.rows.len(), self.rows.len() * (self.stream.len() + 12));
        let mut ends = vec![0i32];
        let mut more = self.more_parts.iter().peekable();
        for row in &self.rows {
            let first = row.line.start;
            text.part(self.stream, self.offset as u64 + first as u64);
            while let Some(&&(_, place)) = more.peek().filter(|&&&(of, _)| of == first) {
                text.part(self.stream, self.offset as u64 + place as u64);
                more.next();
            }
            ends.push(text.ends.len() as i32 - 1);
        }
        let item = Arc::new(Field::new("item", DataType::Utf8, true));
        let list = ListArray::new(item, OffsetBuffer::new(ScalarBuffer::from(ends)), Arc::new(text.array()), None);
        named("parts", Arc::new(list))
    }
}

fn number(name: &str, values: Vec<i64>) -> Option<Named> {
    if values.iter().all(|&value| value < 0) {
        return None;
    }
    let nulls: NullBuffer = values.iter().map(|&value| value >= 0).collect();
    Some(named(name, Arc::new(Int64Array::new(ScalarBuffer::from(values), Some(nulls)))))
}

fn named(name: &str, array: ArrayRef) -> Named {
    (Arc::new(Field::new(name, array.data_type().clone(), true)), array)
}

/// A string column in the making. Everything pushed is valid UTF-8: it is a whole value of a line that was checked.
struct Text {
    ends: Vec<i32>,
    bytes: Vec<u8>,
    valid: Vec<bool>,
    nulls: usize,
}

impl Text {
    fn new(rows: usize, bytes: usize) -> Text {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Text { ends, bytes: Vec::with_capacity(bytes), valid: Vec::with_capacity(rows), nulls: 0 }
    }
    fn push(&mut self, text: Option<&[u8]>) {
        self.valid.push(text.is_some());
        match text {
            Some(text) => self.bytes.extend_from_slice(text),
            None => self.nulls += 1,
        }
        self.ends.push(self.bytes.len() as i32);
    }
    fn part(&mut self, stream: &str, place: u64) {
        self.bytes.extend_from_slice(stream.as_bytes());
        self.bytes.push(b':');
        push_number(&mut self.bytes, place);
        self.push(Some(b""));
    }
    fn array(self) -> StringArray {
        let nulls = (self.nulls > 0).then(|| NullBuffer::from(self.valid));
        StringArray::new(OffsetBuffer::new(ScalarBuffer::from(self.ends)), Buffer::from_vec(self.bytes), nulls)
    }
    /// None for a column without any value.
    fn named(self, name: &str) -> Option<Named> {
        (self.nulls < self.valid.len()).then(|| named(name, Arc::new(self.array())))
    }
}

fn push_number(to: &mut Vec<u8>, mut value: u64) {
    let (mut room, mut at) = ([0u8; 20], 20);
    loop {
        at -= 1;
        room[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    to.extend_from_slice(&room[at..]);
}

fn hex(bytes: &[u8], to: &mut [u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        to[2 * at] = HEX[(byte >> 4) as usize];
        to[2 * at + 1] = HEX[(byte & 15) as usize];
    }
}

pub fn decimal(value: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(20);
    push_number(&mut text, value);
    text
}
