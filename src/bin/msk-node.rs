//! The agent beside each Kafka process, and the commands that look at all of them.

fn main() -> std::process::ExitCode {
    msk::node::command_line::main()
}
