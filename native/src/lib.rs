//! `regsight_native`: reads the strict shapes of the hottest registry logs. Everything else is named by its place and left to
//! the Python path, which stays the one definition of what a line means. And writes rows as Elasticsearch wants them.

mod access;
mod distribution;
mod documents;
mod entry;
mod harbor;
mod numbers;
mod reading;
mod request;
mod rows;
mod text;
mod words;

use std::collections::{HashMap, HashSet};
use std::ffi::CString;

use arrow_array::ffi_stream::{ArrowArrayStreamReader, FFI_ArrowArrayStream};
use arrow_array::Array;
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule};

use rows::Columns;
use reading::{line_ids, told_by_application, Format, Found, Levels, Setting};

/// Raised whenever an answer changes its meaning; `store/compiled.py` uses no other.
const CONTRACT: u32 = 2;
const FEW_URIS: usize = 8;

/// What was found in one block; `left` are the places of the lines that Python must read.
#[pyclass(frozen)]
struct Scan {
    data: Py<PyBytes>,
    found: Found,
    stream: String,
    offset: u64,
    format: Format,
}

#[pymethods]
impl Scan {
    #[getter]
    fn left(&self) -> Vec<(usize, usize)> {
        self.found.left.clone()
    }
    #[getter]
    fn lines(&self) -> usize {
        self.found.lines
    }
    /// Whether an application line was seen at level info (or below), warning, error.
    #[getter]
    fn levels(&self) -> (bool, bool, bool) {
        (self.found.info, self.found.warning, self.found.error)
    }
    /// Access lines read, and how many of them are requests that Distribution's application tells of.
    #[getter]
    fn access(&self) -> (usize, usize) {
        (self.found.access, self.found.routed)
    }
    /// Whether one of these event ids (`r-…`) is among the rows.
    fn knows(&self, ids: Vec<String>) -> bool {
        let known = |id: &String| {
            let mut bytes = [0u8; 16];
            let digits = id.strip_prefix("r-").filter(|digits| digits.len() == 32 && digits.is_ascii());
            let Some(digits) = digits else { return false };
            for (at, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap_or(0);
            }
            self.found.by_id.contains_key(&bytes)
        };
        ids.iter().any(known)
    }
    /// Whether the application may tell, in the block or before it, of a request outside the registry's grammar that an access
    /// line has: whether its URI stands there as the application writes it. Many different ones are not looked for.
    fn may_be_told(&self, py: Python<'_>, before: Py<PyBytes>) -> bool {
        let (data, before) = (self.data.as_bytes(py), before.as_bytes(py));
        py.detach(|| {
            let mut uris = vec![];
            for row in self.found.rows.iter().filter(|row| row.channel == words::channel::ACCESS && !row.routed) {
                let uri = self.found.asked(data, row).1;
                if !uris.contains(&uri) {
                    uris.push(uri);
                }
                if uris.len() >= FEW_URIS {
                    return true;
                }
            }
            !uris.is_empty() && (told_of(data, &uris) || told_of(before, &uris))
        })
    }
    /// The rows, and how many lines gave none. Access lines count as `levels` (info, warning, error) of the whole stream say;
    /// of the requests `told` the application speaks.
    #[pyo3(signature = (levels=(false, false, false), access_lines=0, access_speaks_first=false, told=vec![]))]
    fn finish(
        &self, py: Python<'_>, levels: (bool, bool, bool), access_lines: usize, access_speaks_first: bool,
        told: Vec<(String, String)>,
    ) -> (Batch, usize) {
        let data = self.data.as_bytes(py);
        let (info, warning, error) = levels;
        let told: HashSet<_> = told.into_iter().collect();
        let levels = Levels { info, warning, error, access_lines, access_speaks_first, told };
        py.detach(|| self.columns(data, &levels))
    }
}

/// Whether an application line, in either formatter, tells of one of these URIs.
fn told_of(text: &[u8], uris: &[&[u8]]) -> bool {
    const KEY: &[u8] = b"http.request.uri";
    memchr::memmem::find_iter(text, KEY).any(|at| {
        let behind = &text[at + KEY.len()..];
        let Some(value) = behind.strip_prefix(b"\":").or_else(|| behind.strip_prefix(b"=")) else { return false };
        [Some(value), value.strip_prefix(b"\"")].into_iter().flatten().any(|value| {
            let ends = |rest: &[u8]| rest.first().is_none_or(|byte| *byte == b'"' || byte.is_ascii_whitespace() || *byte == 11);
            uris.iter().any(|uri| value.strip_prefix(*uri).is_some_and(ends))
        })
    })
}

impl Drop for Scan {
    fn drop(&mut self) {
        std::mem::take(&mut self.found).give_back();
    }
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

impl Scan {
    fn columns(&self, data: &[u8], levels: &Levels) -> (Batch, usize) {
        let settle = self.format == Format::Distribution;
        let waits = |row: &rows::Row| settle && row.channel == words::channel::ACCESS;
        let found = &self.found;
        let rows: Vec<&rows::Row> = found
            .rows
            .iter()
            .filter(|row| !waits(row) || !(told_by_application(row, levels) || self.told_outside(data, row, levels)))
            .collect();
        let told = found.rows.len() - rows.len();
        let ids = line_ids(&self.stream, self.offset, data, &rows);
        let mut more_parts = found.more_parts.clone();
        more_parts.sort_unstable();
        let columns =
            Columns { data, arena: &found.arena, rows, ids, more_parts, stream: &self.stream, offset: self.offset as i64 }
                .build();
        (Batch { columns }, found.ignored + told)
    }

    fn told_outside(&self, data: &[u8], row: &rows::Row, levels: &Levels) -> bool {
        let (method, uri) = self.found.asked(data, row);
        !row.routed && !levels.told.is_empty() && levels.told.contains(&(shown(method), shown(uri)))
    }
}

/// A record batch for whoever speaks the Arrow PyCapsule interface; columns without any value are left out.
#[pyclass(frozen)]
struct Batch {
    columns: arrow_array::StructArray,
}

#[pymethods]
impl Batch {
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_array__<'py>(
        &self, py: Python<'py>, requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyCapsule>, Bound<'py, PyCapsule>)> {
        let _ = requested_schema;
        let schema = FFI_ArrowSchema::try_from(self.columns.data_type()).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let array = FFI_ArrowArray::new(&self.columns.to_data());
        let name = |text: &str| Some(CString::new(text).unwrap());
        Ok((PyCapsule::new(py, schema, name("arrow_schema"))?, PyCapsule::new(py, array, name("arrow_array"))?))
    }
}

/// Reads a block of whole lines. Times are µs since 1970; `newest` is None where times of syslog headers are not UTC.
/// None: the lines of this block cannot be read each by itself.
#[pyfunction]
#[pyo3(signature = (format, data, before, *, stream, registry, offset, now, newest))]
#[allow(clippy::too_many_arguments)]
fn scan(
    py: Python<'_>, format: &str, data: Py<PyBytes>, before: Py<PyBytes>, stream: String, registry: &str, offset: u64, now: i64,
    newest: Option<i64>,
) -> PyResult<Option<Scan>> {
    let format = match format {
        "distribution" => Format::Distribution,
        "combined" => Format::Combined,
        "timed_combined" => Format::Timed,
        "harbor_audit" => Format::HarborAudit,
        "harbor_forwarded" => Format::HarborForwarded,
        _ => return Err(PyValueError::new_err("no such format")),
    };
    let (bytes, front) = (data.as_bytes(py), before.as_bytes(py));
    let set = Setting { format, registry, now, newest };
    let found = py.detach(|| reading::scan(&set, bytes, front));
    Ok(found.map(|found| Scan { data, found, stream, offset, format }))
}

/// Line ends in a block, at the speed of memory: an answer that no reading of the lines had a part in.
#[pyfunction]
fn count_ends(py: Python<'_>, data: Py<PyBytes>) -> usize {
    let bytes = data.as_bytes(py);
    py.detach(|| memchr::memchr_iter(b'\n', bytes).count())
}

/// Bodies of bulk requests that create the rows of a table (anything with `__arrow_c_stream__`) in the indices of their days,
/// `{alias}-2026.11.24`: (first row, row behind the last, body) for each request of at most so many rows and bytes. `names`
/// are the members that its columns become.
#[pyfunction]
#[pyo3(signature = (table, names, alias, most_rows, most_bytes))]
fn bulk_bodies<'py>(
    py: Python<'py>, table: Bound<'py, PyAny>, names: HashMap<String, String>, alias: &str, most_rows: usize, most_bytes: usize,
) -> PyResult<Vec<(usize, usize, Bound<'py, PyBytes>)>> {
    let capsule = table.call_method0("__arrow_c_stream__")?.cast_into::<PyCapsule>()?;
    let stream = capsule.pointer_checked(Some(c"arrow_array_stream"))?.cast::<FFI_ArrowArrayStream>();
    // The capsule owns the stream until it is taken out of it here, which leaves an empty one behind.
    let reader = unsafe { ArrowArrayStreamReader::from_raw(stream.as_ptr()) };
    let made = py.detach(|| {
        let mut bodies = documents::Bodies::new(&names, alias, most_rows, most_bytes);
        for batch in reader? {
            bodies.add(&batch?)?;
        }
        Ok(bodies.finish())
    });
    let made = made.map_err(|error: arrow_schema::ArrowError| PyValueError::new_err(error.to_string()))?;
    let handed = made.into_iter().map(|(start, end, body)| {
        let bytes = PyBytes::new(py, &body);
        documents::give_back(body);
        (start, end, bytes)
    });
    Ok(handed.collect())
}

#[pymodule]
fn regsight_native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("CONTRACT", CONTRACT)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<Scan>()?;
    module.add_class::<Batch>()?;
    module.add_function(wrap_pyfunction!(bulk_bodies, module)?)?;
    module.add_function(wrap_pyfunction!(count_ends, module)?)?;
    module.add_function(wrap_pyfunction!(scan, module)?)
}
