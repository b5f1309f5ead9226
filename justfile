# The recipes that people and CI run. `just --list` shows them.

# Everything that CI runs.
test *ARGS:
    scripts/test {{ARGS}}

# The inner loop: types, lints and the fast tests.
check:
    cargo fmt --check
    cargo clippy --all-targets --locked -- --deny warnings
    cargo test --lib --locked

# Writes the generated files anew: registry pages, JSON Schemas.
generate:
    scripts/generate

# A real cluster on this machine, used by real clients.
quickstart *ARGS:
    scripts/quickstart {{ARGS}}
