//! Under what a run was measured: without it a number says nothing.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use anyhow::Result;
use shared::clock::{Clock, SystemClock};
use tokio_postgres::NoTls;

/// Name → value.
pub(crate) async fn read() -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let mut put = |name: &str, value: String| all.insert(name.to_owned(), value);
    put("time", SystemClock.now().to_string());
    put("cpu", first_line_after("/proc/cpuinfo", "model name"));
    put("cores", std::thread::available_parallelism().map_or(0, usize::from).to_string());
    put("memory", first_line_after("/proc/meminfo", "MemTotal"));
    put("kernel", fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned());
    put("commit", output("git", &["describe", "--always", "--dirty", "--abbrev=12"]));
    put("rustc", output("rustc", &["--version"]));
    put("kafka", kafka_version());
    for (name, value) in postgres().await? {
        put(&name, value);
    }
    Ok(all)
}

/// The server's version, and every setting that was given to it.
async fn postgres() -> Result<Vec<(String, String)>> {
    const SETTINGS: &str = "
        select name, current_setting(name) from pg_settings
        where source = 'command line' and name !~ '^(port|listen|data_|unix|log_|cluster_name|config|hba|ident)'
           or name in ('fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum', 'wal_level')
        order by name";
    let (client, connection) = tokio_postgres::connect(&test_support::servers::postgres_url(), NoTls).await?;
    tokio::spawn(connection);
    let mut found =
        vec![("postgresql".to_owned(), client.query_one("show server_version", &[]).await?.get(0))];
    for row in client.query(SETTINGS, &[]).await? {
        found.push((format!("postgresql: {}", row.get::<_, String>(0)), row.get(1)));
    }
    Ok(found)
}

/// The broker is what `cargo xtask` has downloaded: its folder is named after it.
fn kafka_version() -> String {
    let folders = std::env::var_os("AUDIT_BENCH_DIST").and_then(|dist| fs::read_dir(dist).ok());
    let names = folders.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| Some(name.strip_prefix("kafka-")?.to_owned())).max().unwrap_or_else(unknown)
}

fn first_line_after(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix(':'));
    line.map_or_else(unknown, |value| value.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(unknown, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}
