//! The process's own figures, by the names that every Prometheus client library uses; Linux only, else absent.

use std::fs;

/// Gives the figures their help texts.
pub(super) fn describe() {
    metrics::describe_gauge!("process_resident_memory_bytes", "Resident memory size in bytes.");
    metrics::describe_gauge!("process_virtual_memory_bytes", "Virtual memory size in bytes.");
    metrics::describe_gauge!("process_cpu_seconds_total", "User and system CPU time spent in seconds.");
    metrics::describe_gauge!("process_open_fds", "Number of open file descriptors.");
    metrics::describe_gauge!("process_max_fds", "Most file descriptors that may be open.");
    metrics::describe_gauge!("process_threads", "Number of threads.");
    metrics::describe_gauge!(
        "process_start_time_seconds",
        "Start time of the process since the Unix epoch in seconds."
    );
}

/// Brings the figures up to date.
pub(super) fn record() {
    if let Some(figures) = fs::read_to_string("/proc/self/stat").ok().and_then(|text| Figures::parse(&text)) {
        metrics::gauge!("process_cpu_seconds_total").set(figures.cpu_seconds());
        metrics::gauge!("process_virtual_memory_bytes").set(figures.virtual_bytes);
        metrics::gauge!("process_resident_memory_bytes")
            .set(figures.resident_pages * system_value(libc::_SC_PAGESIZE));
        metrics::gauge!("process_threads").set(figures.threads);
        if let Some(boot) = boot_time() {
            metrics::gauge!("process_start_time_seconds")
                .set(boot + figures.start_ticks / ticks_per_second());
        }
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder that is being read.
        let open = entries.count().saturating_sub(1);
        metrics::gauge!("process_open_fds").set(u32::try_from(open).unwrap_or(u32::MAX));
    }
    if let Some(most) = fs::read_to_string("/proc/self/limits").ok().as_deref().and_then(most_open_files) {
        metrics::gauge!("process_max_fds").set(most);
    }
}

/// Fields of `/proc/self/stat`, proc(5).
#[derive(Debug, PartialEq)]
struct Figures {
    cpu_ticks: f64,
    threads: f64,
    start_ticks: f64,
    virtual_bytes: f64,
    resident_pages: f64,
}

impl Figures {
    fn parse(stat: &str) -> Option<Self> {
        // The second field is the command in brackets and may hold spaces; after it, field 3 is the first.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
        Some(Self {
            cpu_ticks: number(14)? + number(15)?,
            threads: number(20)?,
            start_ticks: number(22)?,
            virtual_bytes: number(23)?,
            resident_pages: number(24)?,
        })
    }

    fn cpu_seconds(&self) -> f64 {
        self.cpu_ticks / ticks_per_second()
    }
}

fn boot_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn most_open_files(limits: &str) -> Option<f64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

fn ticks_per_second() -> f64 {
    system_value(libc::_SC_CLK_TCK)
}

#[expect(unsafe_code, reason = "sysconf takes a number, returns a number and touches no memory of ours")]
#[expect(clippy::cast_precision_loss, reason = "page size and clock ticks are small")]
fn system_value(name: libc::c_int) -> f64 {
    // SAFETY: sysconf has no preconditions; an unknown name gives -1.
    unsafe { libc::sysconf(name) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat =
            "42 (a (b) c) S 1 42 42 0 -1 4194560 10 0 0 0 150 50 0 0 20 0 7 0 1000 4096000 250 1844 rest";
        let figures = Figures::parse(stat).expect("a whole line");
        assert_eq!(
            figures,
            Figures {
                cpu_ticks: 200.0,
                threads: 7.0,
                start_ticks: 1000.0,
                virtual_bytes: 4_096_000.0,
                resident_pages: 250.0
            }
        );
    }

    #[test]
    fn a_short_line_gives_nothing() {
        assert_eq!(Figures::parse("42 (x) S 1 2"), None);
        assert_eq!(Figures::parse(""), None);
    }

    #[test]
    fn the_limit_of_open_files_is_read_and_unlimited_is_left_out() {
        assert_eq!(
            most_open_files("Max open files            1024                 4096  files"),
            Some(1024.0)
        );
        assert_eq!(most_open_files("Max open files            unlimited            unlimited  files"), None);
    }
}
