//! Files of a folder hold what people did: they go when nobody can fetch them any more.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use service::Shutdown;

/// Between two looks.
const EVERY: Duration = Duration::from_mins(10);
/// Beyond the end of its link, or of its writing: downloads that have begun go on, and clocks differ.
const GRACE: Duration = Duration::from_hours(1);

/// Looks at once and from time to time; also takes away what a killed process left unfinished.
pub(super) async fn keep(folder: PathBuf, lifetime: Duration, shutdown: Shutdown) {
    loop {
        match remove_older(&folder, lifetime + GRACE).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "expired exports removed"),
            Err(error) => tracing::warn!(%error, "expired exports cannot be removed"),
        }
        tokio::select! {
            () = shutdown.requested() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// Removes our own files that were written last longer ago; answers how many.
async fn remove_older(folder: &Path, age: Duration) -> std::io::Result<u64> {
    let mut files = tokio::fs::read_dir(folder).await?;
    let mut removed = 0;
    while let Some(file) = files.next_entry().await? {
        let ours = file.file_name().to_str().is_some_and(|name| name.starts_with("audit_"));
        let metadata = file.metadata().await?;
        let is_old = metadata.modified()?.elapsed().is_ok_and(|since| since > age);
        if ours && is_old && metadata.is_file() {
            tokio::fs::remove_file(file.path()).await?;
            removed += 1;
        }
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[tokio::test]
    async fn only_our_own_old_files_go() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, hours) in
            [("audit_old.csv", 3), ("audit_old.csv#1", 3), ("audit_new.csv", 0), ("notes.txt", 3)]
        {
            let file = File::create(folder.path().join(name)).expect("a file");
            file.set_modified(
                File::metadata(&file).expect("its time").modified().expect("its time")
                    - Duration::from_hours(hours),
            )
            .expect("an older time");
        }
        assert_eq!(remove_older(folder.path(), Duration::from_hours(2)).await.expect("readable"), 2);
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name().into_string().expect("text"))
            .collect();
        left.sort();
        assert_eq!(left, ["audit_new.csv", "notes.txt"]);
    }
}
