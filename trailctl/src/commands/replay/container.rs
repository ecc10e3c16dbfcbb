//! A replay as an Avro object container file, which gets its name only once it is whole.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use futures::StreamExt as _;
use shared::avro::{END_LENGTH, is_end};

use crate::{
    api::lines::CutOff,
    outcome::{self, Outcome, StandardOutputClosed},
    progress,
    session::Session,
};

/// Where the bytes go.
enum Sink {
    Output(io::Stdout),
    File { part: PathBuf, file: File },
}

impl Sink {
    fn open(path: &Path, session: &Session) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            if session.terminal.stdout {
                return Err(outcome::usage("--avro - is no text for a terminal: name a file, or use a pipe"));
            }
            return Ok(Self::Output(io::stdout()));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file =
            File::create(&part).map_err(|error| outcome::usage(format!("{}: {error}", part.display())))?;
        Ok(Self::File { part, file })
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Output(output) => Ok(output.write_all(bytes).map_err(StandardOutputClosed)?),
            Self::File { part, file } => file.write_all(bytes).with_context(|| part.display().to_string()),
        }
    }

    /// Everything is there.
    fn finish(self, path: &Path) -> anyhow::Result<()> {
        match self {
            Self::Output(mut output) => Ok(output.flush().map_err(StandardOutputClosed)?),
            Self::File { part, file } => {
                file.sync_all().with_context(|| part.display().to_string())?;
                std::fs::rename(&part, path).with_context(|| path.display().to_string())
            }
        }
    }

    /// It broke off: half a file is not left behind.
    fn discard(self) {
        if let Self::File { part, .. } = self {
            // The error that stopped it is the one to tell.
            let _ = std::fs::remove_file(part);
        }
    }
}

/// Writes the answer's bytes as they come, and says whether they are whole.
pub(super) async fn save(
    response: reqwest::Response,
    path: &Path,
    session: &Session,
) -> anyhow::Result<Outcome> {
    let mut sink = Sink::open(path, session)?;
    let bar = progress::bar(
        session.terminal,
        session.quiet(),
        None,
        "{spinner} {binary_bytes}  {binary_bytes_per_sec}",
    );
    let copied = copy(response, &mut sink, &bar).await;
    bar.finish_and_clear();
    match copied {
        Ok(bytes) => {
            sink.finish(path)?;
            session.say(&format!("{} bytes replayed into {}", progress::thousands(bytes), path.display()));
            Ok(Outcome::Done)
        }
        Err(error) => {
            sink.discard();
            Err(error.context(format!("{} is not whole: run the same command again", path.display())))
        }
    }
}

async fn copy(
    response: reqwest::Response,
    sink: &mut Sink,
    bar: &indicatif::ProgressBar,
) -> anyhow::Result<u64> {
    let mut body = response.bytes_stream();
    let mut last: Vec<u8> = Vec::with_capacity(2 * END_LENGTH);
    let mut bytes = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(CutOff::Connection)?;
        sink.write(&chunk)?;
        bytes += chunk.len() as u64;
        bar.set_position(bytes);
        last.extend_from_slice(&chunk[chunk.len().saturating_sub(END_LENGTH)..]);
        last.drain(..last.len().saturating_sub(END_LENGTH));
    }
    anyhow::ensure!(is_end(&last), "the stream ended without the block that ends a whole file");
    Ok(bytes)
}
