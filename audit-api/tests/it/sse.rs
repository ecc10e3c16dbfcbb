//! A reader of server-sent events, by the WHATWG rules that matter here, and of raw chunked answers.

use reqwest::{Response, StatusCode};
use serde_json::Value;

use crate::server::soon;

/// One dispatched block, or an id that came alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Block {
    pub(crate) id: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) data: Option<String>,
    pub(crate) comment: bool,
    pub(crate) retry: Option<String>,
}

impl Block {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.data.as_deref().expect("a block with data")).expect("JSON")
    }

    pub(crate) fn is_event(&self) -> bool {
        self.event.as_deref() == Some("event")
    }

    pub(crate) fn is_end(&self) -> bool {
        self.event.as_deref() == Some("end")
    }
}

/// The whole blocks of a text; what follows the last blank line is dropped, as a client does.
pub(crate) fn parse(text: &str) -> Vec<Block> {
    let whole = text.rfind("\n\n").map_or("", |end| &text[..end]);
    whole.split("\n\n").filter(|block| !block.is_empty()).map(block).collect()
}

fn block(text: &str) -> Block {
    let mut block = Block::default();
    for line in text.split('\n') {
        let (field, value) = line.split_once(": ").or_else(|| line.split_once(':')).unwrap_or((line, ""));
        let value = value.to_owned();
        match field {
            "" => block.comment = true,
            "id" => block.id = Some(value),
            "event" => block.event = Some(value),
            "data" => block.data = Some(value),
            "retry" => block.retry = Some(value),
            _ => panic!("an unknown field: {line}"),
        }
    }
    block
}

/// An open stream.
pub(crate) struct Stream {
    response: Response,
    text: String,
    read: usize,
}

impl Stream {
    pub(crate) async fn open(request: reqwest::RequestBuilder) -> Self {
        let response = request.header("accept", "text/event-stream").send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK, "{}", response.url());
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(!response.headers().contains_key("content-encoding"));
        Self { response, text: String::new(), read: 0 }
    }

    /// The next block; `None` at the end of the stream, however it ends.
    pub(crate) async fn next(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.text[self.read..].find("\n\n") {
                let text = &self.text[self.read..self.read + end];
                let next = block(text);
                self.read += end + 2;
                return Some(next);
            }
            let chunk = soon("a chunk of the stream", self.response.chunk()).await;
            match chunk {
                Ok(Some(chunk)) => self.text.push_str(std::str::from_utf8(&chunk).expect("UTF-8")),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The next event, passing over retry, ids and heartbeats.
    pub(crate) async fn event(&mut self) -> Block {
        loop {
            let block = self.next().await.expect("the stream goes on");
            if block.data.is_some() {
                return block;
            }
        }
    }
}
