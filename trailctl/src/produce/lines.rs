//! Lines of files of any size: plain or gzip by their first bytes, or standard input.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use flate2::bufread::MultiGzDecoder;

/// The longest line that is read, in bytes: room for a record of the greatest size, escaped six times over.
pub const LONGEST: usize = 8 * 1024 * 1024;

const BUFFER: usize = 256 * 1024;
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Lines of one input, numbered from 1.
pub struct Lines {
    name: String,
    reader: Box<dyn BufRead + Send>,
    number: u64,
}

/// The input cannot be read further.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system or the decompressor says so.
    #[error("{name}:{line}: cannot be read: {source}")]
    Io {
        /// The input.
        name: String,
        /// The line under way.
        line: u64,
        /// The cause.
        source: io::Error,
    },
    /// Not a line of JSON Lines.
    #[error("{name}:{line}: the line is longer than {} MiB: is this JSON Lines, one event a line?", LONGEST / 1024 / 1024)]
    TooLong {
        /// The input.
        name: String,
        /// The line.
        line: u64,
    },
}

impl Lines {
    /// Opens a file, or standard input for `-`; bytes taken from it are added to `consumed`.
    pub fn open(path: &Path, consumed: &Arc<AtomicU64>) -> io::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::new("<stdin>".to_owned(), io::stdin(), consumed);
        }
        Self::new(path.display().to_string(), File::open(path)?, consumed)
    }

    /// Lines of anything that reads.
    pub fn new(
        name: String,
        input: impl Read + Send + 'static,
        consumed: &Arc<AtomicU64>,
    ) -> io::Result<Self> {
        let mut counted = Counted { input, consumed: Arc::clone(consumed) };
        // A pipe may hand over a single byte at first, so the two are read for themselves.
        let mut magic = Vec::with_capacity(GZIP_MAGIC.len());
        counted.by_ref().take(2).read_to_end(&mut magic)?;
        let gzip = magic == GZIP_MAGIC;
        let whole = BufReader::with_capacity(BUFFER, Cursor::new(magic).chain(counted));
        let reader: Box<dyn BufRead + Send> = if gzip {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole)))
        } else {
            Box::new(whole)
        };
        Ok(Self { name, reader, number: 0 })
    }

    /// What the input is called in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads the next line that is not blank into `line`, without its newline; answers its number.
    pub fn next_into(&mut self, line: &mut Vec<u8>) -> Result<Option<u64>, ReadError> {
        loop {
            line.clear();
            self.number += 1;
            let read = self
                .reader
                .by_ref()
                .take(LONGEST as u64 + 1)
                .read_until(b'\n', line)
                .map_err(|source| ReadError::Io { name: self.name.clone(), line: self.number, source })?;
            if read == 0 {
                return Ok(None);
            }
            if read > LONGEST {
                return Err(ReadError::TooLong { name: self.name.clone(), line: self.number });
            }
            if !line.trim_ascii().is_empty() {
                while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                    line.pop();
                }
                return Ok(Some(self.number));
            }
        }
    }
}

/// Counts what is read through it, for the progress bar.
struct Counted<R> {
    input: R,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.consumed.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn lines(bytes: &[u8]) -> Result<Vec<(u64, String)>, ReadError> {
        let consumed = Arc::default();
        let mut lines = Lines::new("f".to_owned(), Cursor::new(bytes.to_vec()), &consumed).expect("opened");
        let (mut all, mut line) = (Vec::new(), Vec::new());
        while let Some(number) = lines.next_into(&mut line)? {
            all.push((number, String::from_utf8(line.clone()).expect("text")));
        }
        assert_eq!(consumed.load(Ordering::Relaxed), bytes.len() as u64);
        Ok(all)
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text.as_bytes()).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn lines_are_numbered_and_blank_ones_are_passed_over() {
        let expected = vec![(1, "a".to_owned()), (3, "b".to_owned()), (4, "c".to_owned())];
        assert_eq!(lines(b"a\r\n \nb\nc").expect("read"), expected);
        assert_eq!(lines(b"").expect("read"), []);
        assert_eq!(lines(b"x").expect("read"), [(1, "x".to_owned())]);
    }

    #[test]
    fn gzip_is_known_by_its_first_bytes_and_may_have_members() {
        let mut bytes = gzip("a\nb\n");
        bytes.extend(gzip("c\n"));
        let texts: Vec<_> = lines(&bytes).expect("read").into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["a", "b", "c"]);
    }

    #[test]
    fn a_cut_gzip_file_names_the_line() {
        let bytes = gzip("a\nb\n");
        let error = lines(&bytes[..bytes.len() - 4]).expect_err("cut off").to_string();
        assert!(error.starts_with("f:3: cannot be read"), "{error}");
    }

    #[test]
    fn a_line_without_end_is_refused_in_bounded_memory() {
        let endless = io::repeat(b'x');
        let mut lines = Lines::new("f".to_owned(), endless, &Arc::default()).expect("opened");
        let mut line = Vec::new();
        assert!(matches!(lines.next_into(&mut line), Err(ReadError::TooLong { line: 1, .. })));
        assert!(line.capacity() <= 4 * LONGEST);
    }
}
