//! The real data that lies beside the repository, when it does.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

/// A file under `../shared` beside the repository, or `None` with a visible word when it is not there.
pub fn shared_file(path: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let file = workspace.parent()?.join("shared").join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("skipped: {path} is not beside the repository");
    None
}

/// The events of a data set (`loan-applications`, `cloudtrail`, `ssh-logins`), one canonical JSON line each.
pub fn lines(set: &str) -> Option<impl Iterator<Item = String> + use<>> {
    let file = File::open(shared_file(&format!("data/{set}.jsonl.gz"))?).expect("the data set is readable");
    let lines = BufReader::new(MultiGzDecoder::new(file)).lines();
    Some(lines.map(|line| line.expect("the data set is text")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_none() {
        assert_eq!(shared_file("no/such/file"), None);
    }

    #[test]
    fn the_lines_of_a_data_set_are_json_objects() {
        let Some(mut lines) = lines("ssh-logins") else { return };
        let first = lines.next().expect("a data set has events");
        let event: serde_json::Value = serde_json::from_str(&first).expect("JSON");
        assert!(event["eventId"].is_string(), "{first}");
    }
}
