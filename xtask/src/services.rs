//! The project's own services in a stack, and the steps of `trailctl` that come before them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use crate::console::Console;
use crate::ports::{Ports, Wanted};
use crate::probe::Probe;
use crate::process::{Launch, command_as, tail};
use crate::settings::{DATABASE, Settings};
use crate::stack::Stack;
use crate::status::Tokens;
use crate::supervisor::Supervisor;

/// The programs that `up` builds.
pub(crate) const PROGRAMS: [&str; 5] = ["ingestor", "audit-api", "projector", "rabbitmq-bridge", "trailctl"];

/// The ports that the services need.
pub(crate) const PORTS: [Wanted; 5] = [
    Wanted { name: "api", preferred: Some(8080) },
    Wanted { name: "ingestorMetrics", preferred: Some(9464) },
    Wanted { name: "apiMetrics", preferred: None },
    Wanted { name: "projectorMetrics", preferred: None },
    Wanted { name: "bridgeMetrics", preferred: None },
];

/// A service drains for up to 20 s by its own settings; this is a little more.
const STOP_WITHIN: Duration = Duration::from_secs(25);

/// How long the ready-made tokens are valid.
const TOKEN_LIFE: &str = "30days";

/// The ingestor, stored in the stack at `program`.
pub(crate) fn ingestor(
    stack: &Stack,
    program: PathBuf,
    settings: &Settings,
    ports: &Ports,
) -> Result<Launch> {
    let mut env = settings.variables_of(|section, key| {
        matches!((section, key), ("database", "ingestor_url") | ("kafka" | "registry", _))
    });
    let port = ports["ingestorMetrics"];
    env.push(telemetry(port));
    // A static member: after kill -9 the next one goes on at once instead of waiting until Kafka gives its predecessor up.
    env.push(("AUDIT_INGESTOR__INSTANCE_ID".to_owned(), "local".to_owned()));
    service(stack, "audit-ingestor", program, env, Probe::Http { port, path: "/health/ready" })
}

/// The HTTP API, stored in the stack at `program`.
pub(crate) fn api(stack: &Stack, program: PathBuf, settings: &Settings, ports: &Ports) -> Result<Launch> {
    let mut env = settings.variables_of(|section, key| {
        matches!((section, key), ("database", "api_url") | ("auth" | "api" | "kafka" | "registry", _))
    });
    env.push(telemetry(ports["apiMetrics"]));
    env.push(("AUDIT_EXPORTS__FOLDER".to_owned(), stack.server_dir("exports")?.display().to_string()));
    service(stack, "audit-api", program, env, Probe::Http { port: ports["api"], path: "/health/ready" })
}

/// The projector, stored in the stack at `program`.
pub(crate) fn projector(
    stack: &Stack,
    program: PathBuf,
    settings: &Settings,
    ports: &Ports,
) -> Result<Launch> {
    let mut env = settings.variables_of(|section, key| {
        matches!((section, key), ("database", "projector_url") | ("projector", _))
    });
    let port = ports["projectorMetrics"];
    env.push(telemetry(port));
    service(stack, "audit-projector", program, env, Probe::Http { port, path: "/health/ready" })
}

/// The RabbitMQ bridge, stored in the stack at `program`.
pub(crate) fn bridge(stack: &Stack, program: PathBuf, settings: &Settings, ports: &Ports) -> Result<Launch> {
    let mut env = settings.variables_of(|section, _| matches!(section, "rabbitmq" | "kafka" | "registry"));
    let port = ports["bridgeMetrics"];
    env.push(telemetry(port));
    service(stack, "audit-rabbitmq-bridge", program, env, Probe::Http { port, path: "/health/ready" })
}

fn telemetry(port: u16) -> (String, String) {
    ("AUDIT_TELEMETRY__LISTEN".to_owned(), format!("127.0.0.1:{port}"))
}

fn service(
    stack: &Stack,
    name: &'static str,
    program: PathBuf,
    env: Vec<(String, String)>,
    probe: Probe,
) -> Result<Launch> {
    Ok(Launch {
        name,
        program,
        args: Vec::new(),
        env,
        dir: stack.server_dir(name)?,
        log: stack.log(name),
        account: stack.account.clone(),
        stop: Signal::SIGTERM,
        stop_within: STOP_WITHIN,
        probe,
        tier: 2,
    })
}

/// `trailctl`, as `up` uses it.
pub(crate) struct Trailctl<'a> {
    /// The program.
    pub(crate) program: &'a Path,
    /// The configuration, also as variables, so that the caller's own do not win over it.
    pub(crate) variables: Vec<(String, String)>,
    /// The stack it works for.
    pub(crate) stack: &'a Stack,
}

impl Trailctl<'_> {
    /// Runs one command to its end; its output goes to a log, whose end is shown when it fails.
    pub(crate) fn run(
        &self,
        arguments: &[&str],
        more: &[(String, String)],
        supervisor: &mut Supervisor,
    ) -> Result<String> {
        let log_path = self.stack.log(&format!("trailctl-{}", arguments.first().unwrap_or(&"none")));
        let output_path = self.stack.dir.join("trailctl.out");
        let log = fs::File::create(&log_path)?;
        let output = fs::File::create(&output_path)?;
        let mut command = command_as(None, Some(Signal::SIGTERM), self.program);
        command.arg("--config").arg(self.stack.dir.join("audit.toml")).args(arguments);
        command.envs(self.variables.iter().chain(more).map(|(name, value)| (name, value)));
        command.current_dir(&self.stack.project).stdout(output).stderr(log);
        let what = format!("trailctl {}", arguments.join(" "));
        let status = supervisor.run(&what, &mut command)?;
        let text =
            fs::read_to_string(&output_path).with_context(|| format!("reading what {what} printed"))?;
        fs::remove_file(&output_path)?;
        if !status.success() {
            bail!(
                "{what} failed ({status}); the end of {}:\n{}{text}",
                log_path.display(),
                tail(&log_path, 20)
            );
        }
        Ok(text.trim().to_owned())
    }

    /// The database, the topics, the schemas: all of them may be there already.
    pub(crate) fn prepare(
        &self,
        superuser_url: String,
        supervisor: &mut Supervisor,
        console: &Console,
    ) -> Result<()> {
        console.step(&format!("migrating the database {DATABASE} (trailctl migrate --bootstrap)"));
        self.run(
            &["migrate", "--bootstrap"],
            &[("AUDIT_DATABASE__SUPERUSER_URL".to_owned(), superuser_url)],
            supervisor,
        )?;
        console.step("making the topics (trailctl topics apply)");
        self.run(&["topics", "apply"], &[], supervisor)?;
        console.step("registering the schemas (trailctl schemas apply)");
        self.run(&["schemas", "apply"], &[], supervisor)?;
        Ok(())
    }

    /// The ready-made tokens.
    pub(crate) fn tokens(&self, supervisor: &mut Supervisor) -> Result<Tokens> {
        let mut token = |role: Option<&str>, subject: &str, organization: Option<&str>| {
            let mut arguments = vec!["token", "--ttl", TOKEN_LIFE, "--sub", subject];
            arguments.extend(role.iter().flat_map(|role| ["--role", role]));
            arguments.extend(organization.iter().flat_map(|organization| ["--org", organization]));
            self.run(&arguments, &[], supervisor)
        };
        let demo = Some("demo");
        Ok(Tokens {
            global_admin: token(Some("audit:admin"), "local-admin", None)?,
            org_admin: token(Some("audit:org-admin"), "demo-admin", demo)?,
            user: token(None, "demo-user", demo)?,
            producer: token(Some("audit:producer"), "demo-producer", demo)?,
        })
    }
}
