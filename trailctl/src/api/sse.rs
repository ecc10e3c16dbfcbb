//! Server-sent events, read from chunks of any size (the WHATWG rules).

/// One event of the stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerEvent {
    /// The event's name; `message` when none was given.
    pub name: String,
    /// The last id so far, by which the stream resumes.
    pub id: Option<String>,
    /// The data, lines joined by newlines.
    pub data: String,
}

/// The stream holds an event larger than [`Parser::LARGEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is larger than {} MiB", Parser::LARGEST / 1024 / 1024)]
pub struct TooLarge;

/// Cuts a byte stream into events.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    name: String,
    data: String,
    has_data: bool,
    /// The id line of the block under way, or of the last one.
    block_id: Option<String>,
    /// The id of the last whole block: a block that was cut off before its blank line must come again.
    last_id: Option<String>,
    retry_ms: Option<u64>,
}

impl Parser {
    /// The largest event that is read, in bytes; an event of the store has at most 1 MiB, escaped at most six times that.
    pub const LARGEST: usize = 16 * 1024 * 1024;

    /// The id that a new connection resumes from; blocks that only carry an id move it too.
    pub fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref()
    }

    /// How long the server wants clients to wait before they come back, in milliseconds.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// Forgets a half-received event, keeping the id: the connection was cut.
    pub fn reconnect(&mut self) {
        let (last_id, retry_ms) = (self.last_id.take(), self.retry_ms);
        *self = Self { block_id: last_id.clone(), last_id, retry_ms, ..Self::default() };
    }

    /// Starts from this id, as if it had been received.
    pub fn resume_from(&mut self, id: Option<String>) {
        self.block_id.clone_from(&id);
        self.last_id = id;
    }

    /// Takes the next chunk and hands every event that it completes to `each`.
    pub fn feed<E: From<TooLarge>>(
        &mut self,
        chunk: &[u8],
        mut each: impl FnMut(&ServerEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        for &byte in chunk {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    self.end_of_line(&String::from_utf8_lossy(&line), &mut each)?;
                    self.line = line;
                    self.line.clear();
                }
                _ if self.line.len() + self.data.len() >= Self::LARGEST => return Err(TooLarge.into()),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    fn end_of_line<E>(
        &mut self,
        line: &str,
        each: &mut impl FnMut(&ServerEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        if line.is_empty() {
            return self.dispatch(each);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            "id" if !value.contains('\0') => self.block_id = Some(value.to_owned()),
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            // A comment (the heartbeat), or a field that is not ours to know.
            _ => {}
        }
        Ok(())
    }

    fn dispatch<E>(&mut self, each: &mut impl FnMut(&ServerEvent) -> Result<(), E>) -> Result<(), E> {
        self.last_id.clone_from(&self.block_id);
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if !std::mem::take(&mut self.has_data) {
            return Ok(());
        }
        let name = if name.is_empty() { "message".to_owned() } else { name };
        each(&ServerEvent { name, id: self.last_id.clone(), data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "retry: 2000\n\n: heartbeat\n\nid: 1:0\nevent: event\ndata: {\"a\":1}\n\n\
        id: 1:7\n\n\r\nevent: event\r\nid: 1:9\r\ndata: x\r\ndata: y\r\n\r\nevent: half\ndata: cut";

    fn parse(parser: &mut Parser, chunks: &[&[u8]]) -> Vec<ServerEvent> {
        let mut events = Vec::new();
        for chunk in chunks {
            parser
                .feed(chunk, |event| {
                    events.push(event.clone());
                    Ok::<(), TooLarge>(())
                })
                .expect("small");
        }
        events
    }

    fn event(id: &str, data: &str) -> ServerEvent {
        ServerEvent { name: "event".to_owned(), id: Some(id.to_owned()), data: data.to_owned() }
    }

    #[test]
    fn any_cut_gives_the_same_events() {
        let expected = vec![event("1:0", "{\"a\":1}"), event("1:9", "x\ny")];
        for cut in 0..STREAM.len() {
            let (mut parser, (head, tail)) = (Parser::default(), STREAM.as_bytes().split_at(cut));
            assert_eq!(parse(&mut parser, &[head, tail]), expected, "cut at {cut}");
            assert_eq!((parser.last_id(), parser.retry_ms()), (Some("1:9"), Some(2000)));
        }
    }

    #[test]
    fn an_id_only_block_moves_the_resume_point() {
        let mut parser = Parser::default();
        assert!(parse(&mut parser, &[b"id: 1:7\n\n"]).is_empty());
        assert_eq!(parser.last_id(), Some("1:7"));
    }

    #[test]
    fn a_cut_connection_drops_the_half_event_and_keeps_the_id() {
        let mut parser = Parser::default();
        parse(&mut parser, &[b"id: 1:1\ndata: a\n\nid: 1:2\ndata: half"]);
        assert_eq!(parser.last_id(), Some("1:1"), "the half event must come again");
        parser.reconnect();
        assert_eq!(parse(&mut parser, &[b"id: 1:2\ndata: b\n\n"]).len(), 1);
        assert_eq!(parser.last_id(), Some("1:2"));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        let chunk = vec![b'x'; Parser::LARGEST + 1];
        assert_eq!(parser.feed(&chunk, |_| Ok::<(), TooLarge>(())), Err(TooLarge));
    }
}
