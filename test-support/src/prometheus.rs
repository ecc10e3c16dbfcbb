//! A Prometheus of a test's own, with rules, that scrapes daemons.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Daemon, daemon::free_address, log_end::log_end, servers, wait_until};

/// Twice as often as the shortest `for` of a second, seldom enough for a busy machine to answer in time.
const GLOBAL: &str = "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}
rule_files: [rules.yaml]
scrape_configs:
";
const READY: Duration = Duration::from_mins(2);

/// What is scraped, by the name of its job; a job may have nothing to scrape. One that goes away with its job would not be missed
/// for five minutes.
pub type Jobs<'a> = [(&'a str, Option<&'a Daemon>)];

/// Killed with this value.
#[derive(Debug)]
pub struct Prometheus {
    folder: TempDir,
    url: String,
    child: Child,
}

impl Prometheus {
    /// Starts one with these rules, and waits until it has scraped all of these daemons, each under its job.
    pub async fn start(rules: &str, jobs: &Jobs<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("rules.yaml"), rules).expect("the rules are written");
        configure(folder.path(), jobs);
        let log = std::fs::File::create(folder.path().join("log")).expect("the log is made");
        let address = free_address();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig=KILL", "--"]).arg(servers::prometheus_program());
        command.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={address}")).current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("one log for both")).stderr(log);
        let child = command.spawn().expect("Prometheus starts");
        let prometheus = Self { folder, url: format!("http://{address}"), child };
        prometheus.scrapes(jobs).await;
        prometheus
    }

    /// Scrapes these daemons from now on, and no others; waits until it has.
    pub async fn scrape(&self, jobs: &Jobs<'_>) {
        configure(self.folder.path(), jobs);
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, Signal::SIGHUP).expect("Prometheus runs");
        self.scrapes(jobs).await;
    }

    async fn scrapes(&self, jobs: &Jobs<'_>) {
        let wanted: BTreeSet<_> = jobs.iter().filter_map(|(_, daemon)| daemon.map(target)).collect();
        wait_until("Prometheus scrapes the daemons", READY, || async {
            let up = self.query("up").await?;
            let up: BTreeSet<_> = up
                .iter()
                .filter_map(|series| Some(series["metric"]["instance"].as_str()?.to_owned()))
                .collect();
            (up == wanted).then_some(())
        })
        .await;
    }

    /// The names of the alerts that fire now.
    pub async fn firing(&self) -> BTreeSet<String> {
        let alerts =
            wait_until("Prometheus tells its alerts", READY, || self.ask("/api/v1/alerts", &[])).await;
        let alerts = alerts["alerts"].as_array().expect("a list of alerts").iter();
        let firing = alerts.filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().expect("a name").to_owned()).collect()
    }

    /// Each alert that has fired within the last hour, and at how many evaluations.
    pub async fn fired(&self) -> BTreeMap<String, u64> {
        let query = "sum by (alertname) (count_over_time(ALERTS{alertstate=\"firing\"}[1h]))";
        let series = wait_until("Prometheus tells what has fired", READY, || self.query(query)).await;
        let fired = series.iter().map(|series| {
            let name = series["metric"]["alertname"].as_str().expect("a name").to_owned();
            (name, series["value"][1].as_str().and_then(|count| count.parse().ok()).expect("a count"))
        });
        fired.collect()
    }

    /// The names of those that have fired since [`Prometheus::fired`] gave this.
    pub async fn fired_since(&self, before: &BTreeMap<String, u64>) -> BTreeSet<String> {
        let fired = self.fired().await.into_iter();
        fired.filter(|(name, count)| before.get(name) != Some(count)).map(|(name, _)| name).collect()
    }

    /// How often each group of rules has been evaluated.
    pub async fn evaluations(&self) -> u64 {
        let url = format!("{}/metrics", self.url);
        let metrics = wait_until("Prometheus tells of itself", READY, || async {
            reqwest::get(&url).await.ok()?.text().await.ok()
        });
        let metrics = metrics.await;
        let groups =
            metrics.lines().filter(|line| line.starts_with("prometheus_rule_group_iterations_total{"));
        groups.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).min().unwrap_or(0)
    }

    /// The series that a query answers with.
    async fn query(&self, query: &str) -> Option<Vec<Value>> {
        let answer = self.ask("/api/v1/query", &[("query", query)]).await?;
        Some(answer["result"].as_array()?.clone())
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Value> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.url), parameters).expect("a URL");
        let answer = reqwest::get(url).await.ok()?.text().await.ok()?;
        Some(serde_json::from_str::<Value>(&answer).ok()?["data"].take())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the end of Prometheus' log:\n{}", log_end(self.folder.path()));
        }
    }
}

/// `host:port` of what it scrapes, which is the label `instance`.
fn target(daemon: &Daemon) -> String {
    daemon.telemetry_url("").replace("http://", "")
}

fn configure(folder: &Path, jobs: &Jobs<'_>) {
    let one = |(job, daemon): &(&str, Option<&Daemon>)| {
        let targets = daemon.map(|daemon| format!("{:?}", target(daemon))).unwrap_or_default();
        format!("  - {{job_name: {job}, static_configs: [{{targets: [{targets}]}}]}}\n")
    };
    let jobs: String = jobs.iter().map(one).collect();
    std::fs::write(folder.join("prometheus.yml"), format!("{GLOBAL}{jobs}")).expect("it is configured");
}
