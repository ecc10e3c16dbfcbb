//! A run as a page for people: `report.md` with its plots as SVG, and `report.json` with every value, under
//! `docs/benchmarks/`.

mod axis;
mod page;
mod plot;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::figures::Run;

/// Where the report of this project lies.
pub(crate) fn folder() -> PathBuf {
    let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
    bench.parent().unwrap_or(bench).join("docs").join("benchmarks")
}

/// Writes the report into `folder`, over the one before; where its page is.
pub(crate) fn write(run: &Run, folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let page = folder.join("report.md");
    for (name, text) in files(run)? {
        let place = folder.join(name);
        fs::write(&place, text).with_context(|| format!("writing {}", place.display()))?;
    }
    Ok(page)
}

/// Every file of the report: its name and its text.
fn files(run: &Run) -> Result<Vec<(String, String)>> {
    let plots = plot::plots(&run.curves);
    let mut files = vec![
        ("report.md".to_owned(), page::markdown(run, &plots)),
        ("report.json".to_owned(), serde_json::to_string_pretty(run)? + "\n"),
    ];
    files.extend(plots.iter().map(|plot| (plot.file_name(), plot.svg())));
    Ok(files)
}
