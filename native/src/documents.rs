//! Bodies of Elasticsearch's bulk requests straight from Arrow columns: for each row the action and the document, as
//! `store/bulk_body.py` says them in Python.

use std::collections::HashMap;
use std::sync::Mutex;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, ListArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType};

use crate::numbers::civil;
use crate::text::{copy_until_escape, HEX};

const SECOND: i64 = 1_000_000; // µs
const DAY: i64 = 86_400; // s
const ROOM: usize = 64 << 10; // for the row that is one too many

/// Memory of bodies that were handed over, for the next ones: fresh pages cost a third of making a body. As many as there are
/// connections.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(vec![]);
const SPARES: usize = 2;
const MOST_SPARE: usize = 16 << 20; // bytes; a body of one huge row is not kept

/// An empty buffer for a body and the row behind it.
fn buffer(most_bytes: usize) -> Vec<u8> {
    let mut body = SPARE.lock().ok().and_then(|mut spare| spare.pop()).unwrap_or_default();
    body.clear();
    body.reserve(most_bytes + ROOM);
    body
}

/// The memory of a body that nobody needs any more.
pub fn give_back(body: Vec<u8>) {
    if let Ok(mut spare) = SPARE.lock() {
        if spare.len() < SPARES && body.capacity() <= MOST_SPARE {
            spare.push(body);
        }
    }
}

/// Rows [start, end) of all that was given, and the body of the request that creates them.
pub type Body = (usize, usize, Vec<u8>);

/// What makes bodies out of batch after batch: `names` are the members that columns become.
pub struct Bodies<'a> {
    names: &'a HashMap<String, String>,
    alias: &'a str,
    most_rows: usize,
    most_bytes: usize,
    made: Vec<Body>,
    start: usize,
    rows: usize,
    body: Vec<u8>,
}

impl<'a> Bodies<'a> {
    pub fn new(names: &'a HashMap<String, String>, alias: &'a str, most_rows: usize, most_bytes: usize) -> Bodies<'a> {
        Bodies { names, alias, most_rows, most_bytes, made: vec![], start: 0, rows: 0, body: buffer(most_bytes) }
    }

    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let id = Texts::of(column(batch, "event_id")?)?;
        let mut at = Moments::of(column(batch, "timestamp")?)?;
        let (id_name, at_name) = (self.name("event_id")?, self.name("timestamp")?);
        let (mut columns, mut alike) = (vec![], vec![]);
        for (field, values) in batch.schema().fields().iter().zip(batch.columns()) {
            if ["event_id", "timestamp"].contains(&field.name().as_str()) || values.null_count() == values.len() {
                continue;
            }
            let (name, mut column) = (self.name(field.name())?, Column::of(values)?);
            if column.is_alike() {
                alike.push(b',');
                alike.extend_from_slice(&name);
                column.put(0, &mut alike);
            } else {
                columns.push((name, column));
            }
        }
        let action = format!("{{\"create\":{{\"_index\":\"{}-", self.alias);
        for row in 0..batch.num_rows() {
            let before = self.body.len();
            self.body.extend_from_slice(action.as_bytes());
            at.day(row, &mut self.body);
            self.body.extend_from_slice(b"\",\"_id\":");
            id.put(row, &mut self.body);
            self.body.extend_from_slice(b"}}\n{");
            self.body.extend_from_slice(&id_name);
            id.put(row, &mut self.body);
            self.body.extend_from_slice(&alike);
            for (name, values) in &mut columns {
                if values.says(row) {
                    self.body.push(b',');
                    self.body.extend_from_slice(name);
                    values.put(row, &mut self.body);
                }
            }
            self.body.push(b',');
            self.body.extend_from_slice(&at_name);
            at.put(row, &mut self.body);
            self.body.extend_from_slice(b"}\n");
            self.cut(before);
        }
        Ok(())
    }

    pub fn finish(mut self) -> Vec<Body> {
        if self.start < self.rows {
            self.made.push((self.start, self.rows, self.body));
        }
        self.made
    }

    /// A row more, which begins at `before`: it may be one too many for the request.
    fn cut(&mut self, before: usize) {
        let full = self.rows - self.start == self.most_rows || self.body.len() > self.most_bytes;
        if full && before > 0 {
            let mut next = buffer(self.most_bytes);
            next.extend_from_slice(&self.body[before..]);
            self.body.truncate(before);
            self.made.push((self.start, self.rows, std::mem::replace(&mut self.body, next)));
            self.start = self.rows;
        }
        self.rows += 1;
    }

    fn name(&self, column: &str) -> Result<Vec<u8>, ArrowError> {
        let name = self.names.get(column).ok_or_else(|| ArrowError::SchemaError(format!("no name for {column}")))?;
        let mut made = vec![];
        quote(name.as_bytes(), &mut made);
        made.push(b':');
        Ok(made)
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, ArrowError> {
    batch.column_by_name(name).ok_or_else(|| ArrowError::SchemaError(format!("no column {name}")))
}

/// Columns of the types that `store.event.schema` has.
enum Column<'a> {
    Texts(Texts<'a>),
    Numbers(&'a PrimitiveArray<Int64Type>),
    Moments(Moments<'a>),
    Lists(&'a ListArray, Texts<'a>),
}

impl<'a> Column<'a> {
    fn of(values: &'a ArrayRef) -> Result<Column<'a>, ArrowError> {
        Ok(match values.data_type() {
            DataType::Utf8 => Column::Texts(Texts::of(values)?),
            DataType::Int64 => Column::Numbers(values.as_primitive()),
            DataType::Timestamp(..) => Column::Moments(Moments::of(values)?),
            DataType::List(_) => Column::Lists(values.as_list(), Texts::of(values.as_list::<i32>().values())?),
            other => return Err(ArrowError::SchemaError(format!("a column of {other}"))),
        })
    }

    /// Whether every row says the same: such a member is made once.
    fn is_alike(&self) -> bool {
        match self {
            Column::Texts(Texts(values)) => {
                values.null_count() == 0 && (1..values.len()).all(|row| values.value(row) == values.value(0))
            }
            Column::Numbers(values) => values.null_count() == 0 && all_same(values.values()),
            Column::Moments(Moments { values, .. }) => values.null_count() == 0 && all_same(values.values()),
            Column::Lists(..) => false,
        }
    }

    /// Whether the row has a value; an empty list is none.
    fn says(&self, row: usize) -> bool {
        match self {
            Column::Texts(values) => values.0.is_valid(row),
            Column::Numbers(values) => values.is_valid(row),
            Column::Moments(values) => values.values.is_valid(row),
            Column::Lists(lists, _) => lists.is_valid(row) && lists.value_length(row) > 0,
        }
    }

    fn put(&mut self, row: usize, to: &mut Vec<u8>) {
        match self {
            Column::Texts(values) => values.put(row, to),
            Column::Numbers(values) => to.extend_from_slice(itoa::Buffer::new().format(values.value(row)).as_bytes()),
            Column::Moments(values) => values.put(row, to),
            Column::Lists(lists, texts) => {
                let ends = lists.value_offsets();
                for (place, at) in (ends[row] as usize..ends[row + 1] as usize).enumerate() {
                    to.push(if place == 0 { b'[' } else { b',' });
                    texts.put(at, to);
                }
                to.push(b']');
            }
        }
    }
}

fn all_same(values: &[i64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}

struct Texts<'a>(&'a StringArray);

impl<'a> Texts<'a> {
    fn of(values: &'a ArrayRef) -> Result<Texts<'a>, ArrowError> {
        let texts = values.as_string_opt::<i32>();
        texts.map(Texts).ok_or_else(|| ArrowError::SchemaError(format!("{} where texts are", values.data_type())))
    }

    fn put(&self, row: usize, to: &mut Vec<u8>) {
        if self.0.is_valid(row) {
            quote(self.0.value(row).as_bytes(), to);
        } else {
            to.extend_from_slice(b"null");
        }
    }
}

/// As `store.event.iso` writes them. Neighbours are mostly of the same second, so its words are kept.
struct Moments<'a> {
    values: &'a PrimitiveArray<TimestampMicrosecondType>,
    second: i64,
    words: [u8; 20],
}

impl<'a> Moments<'a> {
    fn of(values: &'a ArrayRef) -> Result<Moments<'a>, ArrowError> {
        let found = values.as_primitive_opt::<TimestampMicrosecondType>();
        let values = found.ok_or_else(|| ArrowError::SchemaError(format!("{} where times are", values.data_type())))?;
        Ok(Moments { values, second: i64::MIN, words: *b"0000-00-00T00:00:00." })
    }

    fn words(&mut self, row: usize) -> i64 {
        let micros = self.values.value(row);
        let second = micros.div_euclid(SECOND);
        if second != self.second {
            self.second = second;
            let (year, month, day) = civil(second.div_euclid(DAY));
            let of_day = second.rem_euclid(DAY);
            digits(&mut self.words[..4], year);
            digits(&mut self.words[5..7], month);
            digits(&mut self.words[8..10], day);
            digits(&mut self.words[11..13], of_day / 3600);
            digits(&mut self.words[14..16], of_day / 60 % 60);
            digits(&mut self.words[17..19], of_day % 60);
        }
        micros - second * SECOND
    }

    fn put(&mut self, row: usize, to: &mut Vec<u8>) {
        let mut rest = [0; 6];
        digits(&mut rest, self.words(row));
        to.push(b'"');
        to.extend_from_slice(&self.words);
        to.extend_from_slice(&rest);
        to.extend_from_slice(b"Z\"");
    }

    /// `2026.11.24`: the end of the name of the day's index.
    fn day(&mut self, row: usize, to: &mut Vec<u8>) {
        self.words(row);
        let words = &self.words;
        for (part, behind) in [(&words[..4], &b"."[..]), (&words[5..7], b"."), (&words[8..10], b"")] {
            to.extend_from_slice(part);
            to.extend_from_slice(behind);
        }
    }
}

fn digits(to: &mut [u8], mut value: i64) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

/// A JSON string: what JSON demands is escaped, and nothing else.
fn quote(text: &[u8], to: &mut Vec<u8>) {
    to.push(b'"');
    let mut at = 0;
    while let Some(byte) = copy_until_escape(text, &mut at, to) {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            8 => b'b',
            12 => b'f',
            _ => {
                to.extend_from_slice(&[b'\\', b'u', b'0', b'0', HEX[byte as usize >> 4], HEX[byte as usize & 15]]);
                continue;
            }
        };
        to.extend_from_slice(&[b'\\', short]);
    }
    to.push(b'"');
}
