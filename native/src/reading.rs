//! The loop over a block's lines, and what all formats share.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use blake2b_simd::many::{hash_many, HashManyJob};

use crate::numbers::{address, moment, yearless_moment, Address};
use crate::rows::{decimal, Row};
use crate::text::{get, Pool, Span};
use crate::{access, distribution, harbor};

const LONGEST_LINE: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Distribution,
    Combined,
    Timed,
    HarborAudit,
    HarborForwarded,
}

/// What a block is read with. Times in µs; `newest` is the latest a syslog time can be, None where such times are not UTC.
pub struct Setting<'a> {
    pub format: Format,
    pub registry: &'a str,
    pub now: i64,
    pub newest: Option<i64>,
}

/// A request's id is a hash already.
#[derive(Default)]
pub struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes.iter().take(8) {
            self.0 = self.0 << 8 | byte as u64;
        }
    }
    fn write_usize(&mut self, _: usize) {}
}

#[derive(Default)]
pub struct Found {
    pub rows: Vec<Row>,
    pub more_parts: Vec<(u32, u32)>, // (row, place of another line that told of it)
    pub arena: Vec<u8>,
    pub lines: usize,
    pub left: Vec<(usize, usize)>, // [start, end) of lines for the Python path, line ends left out
    pub ignored: usize,
    pub info: bool,
    pub warning: bool,
    pub error: bool,
    pub access: usize, // access lines in `rows`, and how many of them are routed
    pub routed: usize,
    pub by_id: HashMap<[u8; 16], u32, BuildHasherDefault<AsIs>>,
}

/// Buffers of earlier blocks: fresh memory for each block would cost more than what is written into it.
static USED: Mutex<Vec<Found>> = Mutex::new(Vec::new());
const MOST_USED: usize = 2;

fn used() -> MutexGuard<'static, Vec<Found>> {
    USED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Found {
    fn clear(&mut self) {
        self.rows.clear();
        self.more_parts.clear();
        self.arena.clear();
        self.left.clear();
        self.by_id.clear();
        (self.lines, self.ignored, self.access, self.routed) = (0, 0, 0, 0);
        (self.info, self.warning, self.error) = (false, false, false);
    }
    /// Keep the buffers for the next block.
    pub fn give_back(self) {
        let mut kept = used();
        if kept.len() < MOST_USED {
            kept.push(self);
        }
    }
    /// Method and URI of a row.
    pub fn asked<'a>(&'a self, data: &'a [u8], row: &Row) -> (&'a [u8], &'a [u8]) {
        (get(data, &self.arena, row.method), get(data, &self.arena, row.uri))
    }
}

pub struct Reading<'a> {
    pub set: &'a Setting<'a>,
    pub pool: Pool<'a>,
    pub found: Found,
    stamp: ([u8; 15], Option<i64>),
}

/// None: something in the block, or before it, means something together with other lines.
pub fn scan(set: &Setting, data: &[u8], before: &[u8]) -> Option<Found> {
    if data.len() >= 1 << 30 || entangled(before) || memchr::memmem::find(data, b"\"__REALTIME_TIMESTAMP\"").is_some() {
        return None;
    }
    let mut found = used().pop().unwrap_or_default();
    found.clear();
    let pool = Pool { data, arena: std::mem::take(&mut found.arena) };
    let mut reading = Reading { set, pool, found, stamp: ([0; 15], None) };
    let mut at = 0;
    while at < data.len() {
        let end = memchr::memchr(b'\n', &data[at..]).map_or(data.len(), |found| at + found);
        reading.line(at, end);
        at = end + 1;
    }
    reading.found.arena = reading.pool.arena;
    Some(reading.found)
}

/// Whether lines before the block may reach into it: pieces of long lines, records of a journal.
fn entangled(before: &[u8]) -> bool {
    let signs: [&[u8]; 4] = [b"__CURSOR=", b"{\"log\":", b" stdout P", b" stderr P"];
    signs.iter().any(|sign| memchr::memmem::find(before, sign).is_some())
}

impl Reading<'_> {
    fn line(&mut self, start: usize, end: usize) {
        let mut bare = end;
        while bare > start && self.pool.data[bare - 1] == b'\r' {
            bare -= 1;
        }
        self.found.lines += 1;
        if bare == start && self.set.format != Format::HarborAudit {
            self.found.ignored += 1;
            return;
        }
        let text = &self.pool.data[start..bare];
        let arena = self.pool.arena.len();
        let plain = !text.is_empty() && text.len() <= LONGEST_LINE && text.iter().fold(255, |least, &byte| byte.min(least)) >= 0x20;
        let taken = plain
            && simdutf8::basic::from_utf8(text).is_ok()
            && match self.set.format {
                Format::Distribution => distribution::line(self, Span::of(start, bare)),
                Format::Combined => access::combined(self, Span::of(start, bare)),
                Format::Timed => access::timed(self, Span::of(start, bare)),
                Format::HarborAudit => harbor::line(self, Span::of(start, bare)),
                Format::HarborForwarded => harbor::forwarded(self, Span::of(start, bare)),
            }
            .is_some();
        if !taken {
            self.pool.arena.truncate(arena);
            self.found.left.push((start, end));
        }
    }

    /// (the registry's own line, time of the syslog header or None). None: another wrapper, or a doubtful header.
    pub fn unwrapped(&mut self, line: Span) -> Option<(Span, Option<i64>)> {
        let text = &self.pool.data[line.start as usize..(line.start + line.len) as usize];
        let (time, host) = if text[0] == b'<' {
            dated_header(text)?
        } else if text.len() >= 20 && text[3] == b' ' && text[0].is_ascii_uppercase() {
            let newest = self.set.newest?;
            let stamp: [u8; 15] = text[..15].try_into().unwrap();
            if self.stamp.0 != stamp {
                self.stamp = (stamp, yearless_moment(&stamp, newest));
            }
            (self.stamp.1?, 15)
        } else {
            return Some((line, None));
        };
        let payload = behind_program(text, host)?;
        // `#0…` may be a control byte as rsyslog writes it.
        let rest = &text[payload..];
        if memchr::memchr_iter(b'#', rest).any(|at| matches!(rest.get(at + 1), Some(b'0' | b'1'))) {
            return None;
        }
        Some((line.part(payload, text.len()), Some(time)))
    }

    /// An IP address in its canonical form; None for everything else.
    pub fn address(&mut self, text: Span) -> Option<Span> {
        match address(self.pool.get(text))? {
            Address::AsWritten => Some(text),
            Address::Mapped(from) => Some(text.part(from, text.len as usize)),
            Address::Canonical(shown) => Some(self.pool.copy(shown.as_bytes())),
        }
    }

    /// What `Sheet.add` fills in: project, tag, digest.
    pub fn add(&mut self, mut row: Row) {
        let pool = &self.pool;
        if row.project.is_none() && !row.repository.word().is_none() {
            let name = pool.get(row.repository);
            let end = memchr::memchr(b'/', name).unwrap_or(name.len());
            row.project = row.repository.part(0, end);
        }
        if !row.reference.word().is_none() {
            if row.digest == row.reference || crate::request::is_digest(pool.get(row.reference)) {
                row.digest = row.digest.or(row.reference);
            } else {
                row.tag = row.tag.word().or(row.reference);
            }
        }
        if !row.tag.is_none() {
            row.action = crate::request::evidence_action(row.action, pool.get(row.tag));
        }
        self.found.rows.push(row);
    }
}

/// `<6>2026-11-24T02:45:03Z` as Go's log/syslog and rsyslog write it: (time, end).
fn dated_header(text: &[u8]) -> Option<(i64, usize)> {
    let close = memchr::memchr(b'>', &text[..text.len().min(5)])?;
    crate::numbers::digits(&text[1..close])?;
    let end = close + 1 + memchr::memchr(b' ', &text[close + 1..])?;
    Some((moment(&text[close + 1..end])?, end))
}

/// ` host program[12]: ` at `at`: where the payload begins. Hosts in capitals could be a level of some program.
fn behind_program(text: &[u8], at: usize) -> Option<usize> {
    let host = at + 1;
    let name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let mut at = host + text.get(host..)?.iter().take_while(|byte| name(byte)).count();
    if text[host - 1] != b' ' || at == host || at - host > 255 || text[host].is_ascii_uppercase() || text.get(at) != Some(&b' ') {
        return None;
    }
    let program = at + 1;
    at = program + text[program..].iter().take_while(|byte| name(byte)).count();
    if at == program || at - program > 64 {
        return None;
    }
    if text.get(at) == Some(&b'[') {
        let pid = at + 1;
        at = pid + text[pid..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if at - pid > 20 || text.get(at) != Some(&b']') {
            return None;
        }
        at += 1;
    }
    (text.get(at) == Some(&b':') && text.get(at + 1) == Some(&b' ') && at + 2 < text.len()).then_some(at + 2)
}

pub fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut state = blake2b_simd::Params::new().hash_length(16).to_state();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            state.update(b"\x1f");
        }
        state.update(part);
    }
    state.finalize().as_bytes().try_into().unwrap()
}

/// The ids of rows: those of single lines are made here, several at once.
pub fn line_ids(stream: &str, offset: u64, data: &[u8], rows: &[&Row]) -> Vec<[u8; 16]> {
    let mut ids: Vec<[u8; 16]> = rows.iter().map(|row| row.id).collect();
    let own: Vec<usize> = (0..rows.len()).filter(|&at| rows[at].letter == b'l').collect();
    let mut parameters = blake2b_simd::Params::new();
    parameters.hash_length(16);
    let mut text = Vec::new();
    for group in own.chunks(8) {
        text.clear();
        let mut ends = [0; 9];
        for (slot, &at) in group.iter().enumerate() {
            let line = rows[at].line;
            text.extend_from_slice(stream.as_bytes());
            text.push(0x1f);
            text.extend_from_slice(&decimal(offset + line.start as u64));
            text.push(0x1f);
            text.extend_from_slice(&data[line.start as usize..(line.start + line.len) as usize]);
            ends[slot + 1] = text.len();
        }
        let mut jobs: Vec<_> =
            (0..group.len()).map(|slot| HashManyJob::new(&parameters, &text[ends[slot]..ends[slot + 1]])).collect();
        hash_many(jobs.iter_mut());
        for (job, &at) in jobs.iter().zip(group) {
            ids[at] = job.to_hash().as_bytes().try_into().unwrap();
        }
    }
    ids
}

pub struct Levels {
    pub info: bool,
    pub warning: bool,
    pub error: bool,
    pub access_lines: usize,
    pub access_speaks_first: bool,
    pub told: HashSet<(String, String)>,
}

/// `collector.distribution_log._told_by_application`
pub fn told_by_application(row: &Row, levels: &Levels) -> bool {
    if !row.routed || (row.status == 405 && row.response_bytes == 19) {
        return false;
    }
    if levels.info {
        return true;
    }
    if !(levels.warning || levels.error) {
        return !levels.access_speaks_first && levels.access_lines < 32;
    }
    if row.status < 400 {
        return false;
    }
    if row.status == 401 { levels.warning } else { true }
}
