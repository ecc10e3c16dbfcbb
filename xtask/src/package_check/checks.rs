//! The checks, each by one tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Outcome;
use super::tools::{Toolbox, said};

/// The Kubernetes that the chart is rendered for.
const KUBERNETES: &str = "1.33";

type Check = Box<dyn Fn(&Toolbox) -> Result<Outcome>>;

/// Every check with its name.
pub(super) fn all(update_golden: bool) -> Vec<(&'static str, Check)> {
    let plain = |tool: &'static str, arguments: &'static [&'static str]| -> Check {
        Box::new(move |tools| match tools.find(tool) {
            Some(command) => run(command, arguments),
            None => Ok(Outcome::Skipped(tool)),
        })
    };
    vec![
        ("Dockerfile (hadolint)", plain("hadolint", &["Dockerfile"])),
        ("chart (helm lint)", Box::new(lint)),
        (
            "chart as rendered (helm template, helm/golden)",
            Box::new(move |tools| render(tools, update_golden)),
        ),
        ("objects (kubernetes-validate)", Box::new(validate)),
        ("alert rules (promtool)", Box::new(rules)),
        ("alerts fire (promtool test rules)", Box::new(rule_tests)),
        ("queries of the dashboards (promtool)", Box::new(dashboards)),
        ("workflows (actionlint)", plain("actionlint", &[])),
        ("workflows (zizmor)", plain("zizmor", &["--offline", "--persona=pedantic", "--quiet", ".github"])),
        (
            "Terraform's form (terraform fmt)",
            plain("terraform", &["fmt", "-check", "-recursive", "-diff", "terraform"]),
        ),
        ("Terraform (test, with mocks)", Box::new(terraform)),
        (
            "misconfiguration (checkov)",
            plain("checkov", &["--quiet", "--compact", "--config-file", ".checkov.yaml"]),
        ),
        ("spelling (typos)", plain("typos", &[])),
        ("unused dependencies (cargo-machete)", plain("cargo-machete", &[])),
        ("licences, sources (cargo-deny)", plain("cargo-deny", &["check", "licenses", "bans", "sources"])),
    ]
}

fn run(mut command: Command, arguments: &[&str]) -> Result<Outcome> {
    let output = command.args(arguments).output().with_context(|| format!("running {command:?}"))?;
    Ok(if output.status.success() { Outcome::Passed } else { Outcome::Failed(said(&output)) })
}

/// The files of a folder with this ending, sorted, relative to the project.
fn files(project: &Path, folder: &str, ending: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(project.join(folder)).with_context(|| format!("reading {folder}"))?;
    let names = entries.filter_map(Result::ok).map(|entry| Path::new(folder).join(entry.file_name()));
    let mut files: Vec<_> = names.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    files.sort();
    Ok(files)
}

/// The first failure of many runs of one tool.
fn each(inputs: Vec<PathBuf>, mut one: impl FnMut(PathBuf) -> Result<Outcome>) -> Result<Outcome> {
    for input in inputs {
        let outcome = one(input)?;
        if !matches!(outcome, Outcome::Passed) {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Passed)
}

fn lint(tools: &Toolbox) -> Result<Outcome> {
    each(files(&tools.project, "helm/values", ".yaml")?, |values| {
        let Some(mut helm) = tools.find("helm") else { return Ok(Outcome::Skipped("helm")) };
        helm.args([
            "lint",
            "--quiet",
            "--strict",
            "helm/audit-trail",
            "--kube-version",
            KUBERNETES,
            "--values",
        ]);
        helm.arg(values);
        run(helm, &[])
    })
}

fn render(tools: &Toolbox, update: bool) -> Result<Outcome> {
    each(files(&tools.project, "helm/values", ".yaml")?, |values| {
        let Some(mut helm) = tools.find("helm") else { return Ok(Outcome::Skipped("helm")) };
        helm.args(["template", "audit-trail", "helm/audit-trail", "--namespace", "audit"]);
        let output = helm.args(["--kube-version", KUBERNETES, "--values"]).arg(&values).output()?;
        if !output.status.success() {
            return Ok(Outcome::Failed(format!("{}: {}", values.display(), said(&output))));
        }
        let golden = Path::new("helm/golden").join(values.file_name().context("a file has a name")?);
        let place = tools.project.join(&golden);
        if update {
            fs::write(&place, &output.stdout)?;
        }
        let expected = fs::read(&place).with_context(|| format!("reading {}", golden.display()))?;
        if expected == output.stdout {
            return Ok(Outcome::Passed);
        }
        let line = expected
            .split(|b| *b == b'\n')
            .zip(output.stdout.split(|b| *b == b'\n'))
            .position(|(a, b)| a != b);
        let line = line.map_or("its end".to_owned(), |line| format!("line {}", line + 1));
        Ok(Outcome::Failed(format!(
            "{} differs from {line} on; UPDATE_GOLDEN=1 writes it anew",
            golden.display()
        )))
    })
}

fn validate(tools: &Toolbox) -> Result<Outcome> {
    let Some(mut validate) = tools.find("kubernetes-validate") else {
        return Ok(Outcome::Skipped("kubernetes-validate"));
    };
    // Custom resources have no schema there; it says so and goes on.
    validate.arg("--strict").args(files(&tools.project, "helm/golden", ".yaml")?);
    run(validate, &[])
}

fn rules(tools: &Toolbox) -> Result<Outcome> {
    let Some(mut promtool) = tools.find("promtool") else { return Ok(Outcome::Skipped("promtool")) };
    promtool.args(["check", "rules"]).args(files(&tools.project, "helm/audit-trail/files", ".yaml")?);
    run(promtool, &[])
}

fn rule_tests(tools: &Toolbox) -> Result<Outcome> {
    let Some(mut promtool) = tools.find("promtool") else { return Ok(Outcome::Skipped("promtool")) };
    promtool.args(["test", "rules"]).args(files(&tools.project, "observability", ".test.yaml")?);
    run(promtool, &[])
}

/// promtool reads no dashboards: their queries go to it as recording rules.
fn dashboards(tools: &Toolbox) -> Result<Outcome> {
    let Some(mut promtool) = tools.find("promtool") else { return Ok(Outcome::Skipped("promtool")) };
    let mut rules = vec![];
    for path in files(&tools.project, "helm/audit-trail/files/dashboards", ".json")? {
        let dashboard: Value = serde_json::from_slice(&fs::read(tools.project.join(&path))?)
            .with_context(|| format!("reading {}", path.display()))?;
        for panel in dashboard["panels"].as_array().into_iter().flatten() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                let query = target["expr"].as_str().context("a target has an expr")?;
                let query = query
                    .replace("$__rate_interval", "5m")
                    .replace("$__range", "3h")
                    .replace("$instance", ".*");
                rules.push(serde_json::json!({ "record": format!("query:{}", rules.len()), "expr": query }));
            }
        }
    }
    // JSON is YAML.
    let text = serde_json::json!({ "groups": [{ "name": "dashboards", "rules": rules }] }).to_string();
    let file = std::env::temp_dir().join(format!("dashboards-{}.yaml", std::process::id()));
    fs::write(&file, text)?;
    promtool.args(["check", "rules"]).arg(&file);
    let outcome = run(promtool, &[]);
    fs::remove_file(&file)?;
    outcome
}

fn terraform(tools: &Toolbox) -> Result<Outcome> {
    let Some(plugins) = Toolbox::terraform_plugins() else {
        return Ok(Outcome::Skipped("a folder of Terraform providers (AUDIT_TF_PLUGIN_DIR)"));
    };
    let data = tools.project.join("target/terraform");
    each(terraform_folders(&tools.project)?, |folder| {
        let terraform = |arguments: &[&str]| -> Result<Option<Outcome>> {
            let Some(mut command) = tools.find("terraform") else { return Ok(None) };
            command
                .current_dir(tools.project.join(&folder))
                .env("TF_DATA_DIR", data.join(&folder))
                .env("TF_IN_AUTOMATION", "1");
            let outcome = run(command, arguments)?;
            Ok(Some(match outcome {
                Outcome::Failed(said) => Outcome::Failed(format!("{}: {said}", folder.display())),
                other => other,
            }))
        };
        let plugins = format!("-plugin-dir={}", plugins.to_string_lossy());
        for arguments in [
            &["init", "-backend=false", "-input=false", "-no-color", &plugins][..],
            // Which validates first.
            &["test", "-no-color"],
        ] {
            match terraform(arguments)? {
                Some(Outcome::Passed) => {}
                Some(outcome) => return Ok(outcome),
                None => return Ok(Outcome::Skipped("terraform")),
            }
        }
        Ok(Outcome::Passed)
    })
}

/// The folders with tests: modules and examples that need no provider but those of the plugin folder.
fn terraform_folders(project: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for parent in ["terraform/modules", "terraform/environments"] {
        for entry in fs::read_dir(project.join(parent)).with_context(|| format!("reading {parent}"))? {
            let folder = Path::new(parent).join(entry?.file_name());
            if project.join(&folder).join("tests").is_dir() {
                folders.push(folder);
            }
        }
    }
    folders.sort();
    Ok(folders)
}
