//! A reader as plain as curl: one HTTP/1.1 request, an answer that is counted and thrown away.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// What a read takes from the socket at most.
const READ: usize = 64 * 1024;
/// The longest head of an answer.
const HEAD: usize = 16 * 1024;

/// How a client takes an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// As it comes, to its end.
    Fast,
    /// So many bytes a second, and only for a while: the answer's end is not waited for.
    Slow {
        /// Bytes a second.
        rate: u64,
        /// How long.
        lasts: Duration,
    },
}

/// What came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Bytes of the body, without the framing of its chunks.
    pub(crate) bytes: u64,
    /// Newlines in the body.
    pub(crate) lines: u64,
    /// Whether the body came to its proper end.
    pub(crate) is_complete: bool,
}

/// Asks for `path` and reads the answer on this thread; an answer other than 200 is an error.
pub(crate) fn get(address: SocketAddr, path: &str, token: &str, accept: &str, pace: Pace) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).context("connecting to the API")?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {token}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut buffer = vec![0; READ];
    let (mut body, mut filled, start) = read_head(&mut stream, &mut buffer)?;
    let started = Instant::now();
    let mut from = start;
    loop {
        body.take(&buffer[from..filled])?;
        if body.answer.is_complete {
            return Ok(body.answer);
        }
        if let Pace::Slow { rate, lasts } = pace {
            let elapsed = started.elapsed();
            if elapsed > lasts {
                return Ok(body.answer);
            }
            let due = Duration::from_millis(body.answer.bytes * 1000 / rate.max(1));
            std::thread::sleep(due.saturating_sub(elapsed).min(lasts));
        }
        (from, filled) = (0, read(&mut stream, &mut buffer)?);
        ensure!(filled > 0, "the answer ended early, after {:?}", body.answer);
    }
}

fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    loop {
        match stream.read(buffer) {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("reading the answer"),
        }
    }
}

/// Reads the head; how the body is framed, how much of the buffer is filled, and where in it the body starts.
fn read_head(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<(Body, usize, usize)> {
    let mut filled = 0;
    let end = loop {
        let count = read(stream, &mut buffer[filled..])?;
        ensure!(count > 0, "the connection was closed before an answer");
        filled += count;
        if let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        ensure!(filled < HEAD, "the answer's head has no end");
    };
    let head = std::str::from_utf8(&buffer[..end]).context("the answer's head")?.to_ascii_lowercase();
    ensure!(
        head.starts_with("http/1.1 200"),
        "the API answered: {}",
        head.lines().next().unwrap_or_default()
    );
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let framing = match (field("transfer-encoding:"), field("content-length:")) {
        (Some("chunked"), _) => Framing::ChunkHead(0),
        (_, Some(length)) => Framing::Length(length.parse().context("content-length")?),
        _ => bail!("the answer says nothing of its length"),
    };
    Ok((Body { framing, answer: Answer::default() }, filled, end + 4))
}

/// How the bytes ahead are to be read.
#[derive(Debug, Clone, Copy)]
enum Framing {
    /// So many bytes, then the end.
    Length(u64),
    /// A chunk's size, so far.
    ChunkHead(u64),
    /// The rest of a chunk's size line.
    ChunkHeadEnd(u64),
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
}

/// The body of an answer, read piece by piece.
struct Body {
    framing: Framing,
    answer: Answer,
}

impl Body {
    fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        if let Framing::Length(0) = self.framing {
            self.answer.is_complete = true;
        }
        while let Some(&byte) = bytes.first() {
            match self.framing {
                Framing::Length(left) => {
                    let taken = self.count(&mut bytes, left);
                    self.framing = Framing::Length(left - taken);
                    self.answer.is_complete = left == taken;
                }
                Framing::Chunk(left) => {
                    let taken = self.count(&mut bytes, left);
                    self.framing =
                        if left == taken { Framing::ChunkEnd } else { Framing::Chunk(left - taken) };
                }
                Framing::ChunkHead(size) => {
                    bytes = &bytes[1..];
                    self.framing = match char::from(byte).to_digit(16) {
                        Some(digit) => Framing::ChunkHead(size * 16 + u64::from(digit)),
                        None if byte == b'\r' => Framing::ChunkHeadEnd(size),
                        None => bail!("a chunk's size holds {byte:#x}"),
                    };
                }
                Framing::ChunkHeadEnd(size) => {
                    bytes = &bytes[1..];
                    self.answer.is_complete = size == 0;
                    self.framing = Framing::Chunk(size);
                    if size == 0 {
                        return Ok(());
                    }
                }
                Framing::ChunkEnd => {
                    bytes = &bytes[1..];
                    if byte == b'\n' {
                        self.framing = Framing::ChunkHead(0);
                    }
                }
            }
        }
        Ok(())
    }

    /// Counts the next bytes of the body, at most `left` of them; how many they were.
    fn count(&mut self, bytes: &mut &[u8], left: u64) -> u64 {
        let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let (data, rest) = bytes.split_at(taken);
        *bytes = rest;
        let taken = u64::try_from(taken).unwrap_or(u64::MAX);
        self.answer.bytes += taken;
        self.answer.lines += lines(data);
        taken
    }
}

/// Newlines, counted in bytes first so that it costs next to nothing beside the reading.
fn lines(data: &[u8]) -> u64 {
    const FITS_A_BYTE: usize = 192;
    let count = |part: &[u8]| part.iter().map(|byte| u8::from(*byte == b'\n')).sum::<u8>();
    data.chunks(FITS_A_BYTE).map(|part| u64::from(count(part))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(framing: Framing, pieces: &[&str]) -> Answer {
        let mut body = Body { framing, answer: Answer::default() };
        for piece in pieces {
            body.take(piece.as_bytes()).expect("a well-formed body");
        }
        body.answer
    }

    #[test]
    fn a_chunked_body_is_counted_wherever_it_is_cut() {
        let whole = "4\r\na\nb\n\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
        let expected = Answer { bytes: 30, lines: 2, is_complete: true };
        for cut in 0..whole.len() - 2 {
            let (left, right) = whole.split_at(cut);
            assert_eq!(answer(Framing::ChunkHead(0), &[left, right]), expected, "cut at {cut}");
        }
        assert!(!answer(Framing::ChunkHead(0), &["4\r\na\nb\n\r\n"]).is_complete);
    }

    #[test]
    fn a_body_of_known_length_ends_there() {
        let expected = Answer { bytes: 3, lines: 1, is_complete: true };
        assert_eq!(answer(Framing::Length(3), &["a\n", "b"]), expected);
        assert!(!answer(Framing::Length(3), &["a\n"]).is_complete);
        assert!(answer(Framing::Length(0), &[""]).is_complete);
    }
}
