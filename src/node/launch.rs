//! What Kafka's JVM is started with. None of it is secret.

use super::context::{Context, Desired};
use super::home::{make_private_directory, write_private};
use super::kafka::properties_path;
use super::problem::{code_of, problem, with_causes};
use crate::kafka::java::Java;
use crate::kafka::launch::{self, CommandLine, Heap, Tuning};
use crate::kafka::{class_data, distribution};
use crate::store::documents::{Problem, ProblemCode};

/// Program, arguments and environment; writes the logging configuration that they name.
///
/// # Errors
/// The problem that keeps Kafka from being started.
pub(crate) fn command_line(context: &Context, desired: &Desired) -> Result<CommandLine, Problem> {
    let node = desired
        .node(context.node_id())
        .ok_or_else(|| problem(ProblemCode::Other, "the desired document does not have this node"))?;
    let version = desired.cluster.kafka_version;
    let found = distribution::find(version, &context.home.kafka_directory)
        .map_err(|cause| problem(ProblemCode::Other, with_causes(&cause)))?;
    let Some(distribution) = found else {
        return Err(problem(
            ProblemCode::Other,
            format!(
                "Kafka {version} is not in `{}`; apply again, it is fetched then",
                context.home.kafka_directory
            ),
        ));
    };
    let heap = Heap::parse(&node.heap).map_err(|cause| problem(ProblemCode::Other, with_causes(&cause)))?;
    let directory = &context.directory;
    let logging = directory.configuration().join("logging.properties");
    let text = launch::logging_configuration(version.logging());
    let scratch = directory.scratch();
    make_private_directory(&scratch)
        .and_then(|()| write_private(&logging, text.as_bytes()))
        .map_err(|cause| problem(code_of(&cause), format!("write `{logging}`: {cause}")))?;
    let java = Java {
        program: context.home.java.clone(),
        release: context.home.java_version,
        build: String::new(),
    };
    let archive = context
        .home
        .cds_directory
        .as_ref()
        .and_then(|folder| class_data::find(folder, &distribution, &java));
    Ok(launch::command_line(&launch::Node {
        version,
        java: &java,
        jars: &distribution.jars,
        heap,
        tuning: match context.machine {
            Some(_) => Tuning::OwnMachine,
            None => Tuning::OneMachine,
        },
        configuration: &properties_path(directory),
        logging: &logging,
        logs: &directory.logs(),
        scratch: &scratch,
        class_data: archive.as_deref(),
    }))
}
