//! Hosts that lack something: a clear error before anything is half done, and an apply once it is mended.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::world::{CLUSTER, Kafka, Role, World, kafka_directory, output, wait_until, write_program};

/// Nothing of a cluster was begun.
#[track_caller]
fn must_be_untouched(world: &World) {
    assert!(world.clusters().is_empty(), "{:?}", world.clusters());
    assert!(!world.terraform.data().join("store/clusters/c.json").exists());
    let listed = world.terraform.run(&["state", "list"]);
    assert!(listed.stdout.is_empty(), "{listed:?}");
}

fn mended(world: &World) {
    world.apply_until_active();
    world.must_be_whole();
    world.terraform.destroy(&[]).must_succeed();
    world.must_be_gone();
}

#[test]
fn without_java_or_with_a_wrong_one_nothing_is_begun() {
    let mut world = World::new(Kafka::StandIn);
    let java = world.terraform.path("java");
    let kafka = format!("kafka_directory = \"{}\"", kafka_directory().display());
    let with_home = |home: &Path| format!("{kafka}\n    java_home = \"{}\"", home.display());

    // None in PATH and no JAVA_HOME.
    let path = world.terraform.path("bin");
    fs::create_dir(&path).unwrap();
    let terraform = std::env::var("MSK_TERRAFORM").unwrap_or_else(|_| "terraform".to_owned());
    let terraform = output(Command::new("sh").args(["-c", "command -v \"$0\"", &terraform]));
    let program = Path::new(&terraform).file_name().unwrap();
    std::os::unix::fs::symlink(&terraform, path.join(program)).unwrap();
    world.terraform.set("JAVA_HOME", "");
    world.terraform.set("PATH", &path);
    world
        .terraform
        .apply(&[])
        .must_fail_with(&["No Java found", "java_home"]);
    must_be_untouched(&world);
    world.terraform.unset("PATH");

    // A home that is none.
    world.write_provider(&with_home(&world.terraform.path("nothing")));
    world.terraform.apply(&[]).must_fail_with(&["bin/java"]);
    must_be_untouched(&world);

    // Java 8, one that says nothing, and one that does not start.
    let old = world.terraform.path("old");
    fs::create_dir_all(old.join("bin")).unwrap();
    world.write_provider(&with_home(&old));
    for (script, words) in [
        (
            "#!/bin/sh\necho 'openjdk version \"1.8.0_292\"' >&2\n",
            ["Java 17", "Java 8"],
        ),
        ("#!/bin/sh\nexit 1\n", ["does not say", "-version"]),
        ("#!/nothing/at/all\n", ["annot start", "bin/java"]),
    ] {
        write_program(&old.join("bin/java"), script);
        world.terraform.apply(&[]).must_fail_with(&words);
        must_be_untouched(&world);
    }
    world.write_provider(&with_home(&java));
    mended(&world);
}

/// A Maven that puts the real jars where it is told to, after `more` was done to them.
fn maven(world: &World, more: &str) -> PathBuf {
    let path = world.terraform.path("mvn");
    let libs = kafka_directory().join("kafka_2.13-4.3.1/libs");
    let text = format!(
        "#!/bin/sh\nfor argument; do case $argument in -DoutputDirectory=*) \
         out=${{argument#-DoutputDirectory=}} ;; esac; done\ncp '{}'/*.jar \"$out/\"\n{more}\n",
        libs.display()
    );
    write_program(&path, &text);
    path
}

#[test]
fn without_maven_or_network_or_with_wrong_bits_no_node_is_made() {
    let world = World::new(Kafka::StandIn);
    let kafka = world.terraform.path("own-kafka");
    let lines = |maven: &Path| {
        format!(
            "kafka_directory = \"{}\"\n    maven_command = \"{}\"",
            kafka.display(),
            maven.display()
        )
    };
    world.write_provider(&lines(Path::new("/nothing/mvn")));
    world
        .terraform
        .apply(&[])
        .must_fail_with(&["4.3.1", "/nothing/mvn", "install Maven"]);
    must_be_untouched(&world);

    // From here on the fetch itself fails; the cluster's name is claimed by then, and no more.
    let no_network = world.terraform.path("mvn");
    write_program(
        &no_network,
        "#!/bin/sh\necho '[ERROR] Could not transfer artifact: Unknown host' ; exit 1\n",
    );
    world.write_provider(&lines(&no_network));
    world.terraform.apply(&[]).must_fail_with(&["Unknown host"]);
    assert!(world.processes(Role::Agent).is_empty());
    assert!(!kafka.join("kafka_2.13-4.3.1").exists());

    let wrong = maven(
        &world,
        "for jar in \"$out\"/kafka-clients*.jar; do printf x | dd of=\"$jar\" conv=notrunc 2>/dev/null; done",
    );
    world.write_provider(&lines(&wrong));
    world
        .terraform
        .apply(&[])
        .must_fail_with(&["kafka-clients", "SHA-256"]);
    assert!(world.processes(Role::Agent).is_empty());
    assert!(
        !kafka.join("kafka_2.13-4.3.1").exists(),
        "wrong bits are not kept"
    );

    let short = maven(&world, "rm \"$out\"/kafka-clients*.jar");
    world.write_provider(&lines(&short));
    world.terraform.apply(&[]).must_fail_with(&["kafka-clients"]);
    assert!(!kafka.join("kafka_2.13-4.3.1").exists());

    let right = maven(&world, "");
    world.write_provider(&lines(&right));
    mended(&world);
}

#[test]
fn a_port_that_was_taken_meanwhile_is_named_and_a_taken_block_is_passed_over() {
    let patient = CLUSTER.replace(
        "subnet_ids ",
        "timeouts {\n    update = \"15s\"\n  }\n  subnet_ids ",
    );
    let mut world = World::with(Kafka::StandIn, &patient);
    // Two blocks of which nobody else on this machine has the first port.
    let address = world.address;
    let bind = |port| TcpListener::bind((address, port)).ok();
    let free = |base: &u16| bind(*base).is_some() && bind(base + 1000).is_some();
    world.base_port = (10..31).map(|block| block * 1000).find(free).unwrap();
    world.write_provider(&format!("kafka_directory = \"{}\"", kafka_directory().display()));
    let next = world.base_port + 1000;
    let first = bind(world.base_port).unwrap();
    world.apply();
    let brokers = world.terraform.state("msk_cluster.c")["bootstrap_brokers_sasl_scram"].to_string();
    let block = format!(":{}", next / 1000);
    assert!(brokers.contains(&block), "the next block is taken: {brokers}");
    drop(first);

    world.kill_all();
    // A killed process has lost its command line a moment before the kernel closes its sockets.
    let mut taken = None;
    wait_until("the port of the killed Kafka is free", || {
        taken = bind(next);
        taken.is_some()
    });
    world
        .terraform
        .apply(&[])
        .must_fail_with(&[&format!("port {next}"), "taken by another process"]);
    drop(taken);
    mended(&world);
}

#[test]
fn a_data_directory_that_is_not_ours_or_takes_nothing_is_refused() {
    let mut world = World::new(Kafka::StandIn);
    let place = |name: &str| world.terraform.path(name);
    let (foreign, file, other) = (place("thesis"), place("file"), place("other"));
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.tex"), "").unwrap();
    fs::write(&file, "").unwrap();
    fs::create_dir(&other).unwrap();

    world.terraform.set("MSK_LOCAL_DATA_DIRECTORY", &foreign);
    world
        .terraform
        .apply(&[])
        .must_fail_with(&["thesis.tex", "not of this provider"]);
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);
    world.terraform.set("MSK_LOCAL_DATA_DIRECTORY", &file);
    world.terraform.apply(&[]).must_fail_with(&["not a directory"]);

    if is_root() {
        std::os::unix::fs::chown(&other, Some(12_345), None).unwrap();
        world.terraform.set("MSK_LOCAL_DATA_DIRECTORY", &other);
        world
            .terraform
            .apply(&[])
            .must_fail_with(&["belongs to user 12345"]);
    } else {
        // Only another user than root can be kept out by permissions.
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&other, fs::Permissions::from_mode(0o500)).unwrap();
        let below = other.join("data");
        world.terraform.set("MSK_LOCAL_DATA_DIRECTORY", &below);
        world
            .terraform
            .apply(&[])
            .must_fail_with(&["no permission to write"]);
        fs::set_permissions(&other, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let data = world.terraform.data();
    world.terraform.set("MSK_LOCAL_DATA_DIRECTORY", &data);
    mended(&world);
}

fn is_root() -> bool {
    output(Command::new("id").arg("-u")) == "0"
}

/// Runs the rest of Terraform's commands in a mount namespace of their own, behind these mounts.
fn behind_mounts(world: &mut World, mounts: &str) {
    let terraform = std::env::var("MSK_TERRAFORM").unwrap_or_else(|_| "terraform".to_owned());
    let wrapper = world.terraform.path("in-namespace");
    // Without root the kernel gives the rights of one inside a user namespace.
    let user = if is_root() { "" } else { "--map-root-user" };
    let text = format!(
        "#!/bin/sh\nexec unshare -m {user} sh -c '{mounts} && exec \"$0\" \"$@\"' {terraform} \"$@\"\n"
    );
    write_program(&wrapper, &text);
    world.terraform.use_program(&wrapper);
}

#[test]
fn a_read_only_or_full_file_system_is_refused_before_anything_is_made() {
    let mut world = World::new(Kafka::StandIn);
    let data = world.terraform.data();
    fs::create_dir(&data).unwrap();
    let mount = |options: &str| format!("mount -t tmpfs -o {options} tmpfs \"{}\"", data.display());

    behind_mounts(&mut world, &mount("ro,mode=0700"));
    world.terraform.apply(&[]).must_fail_with(&["read-only"]);
    behind_mounts(&mut world, &mount("size=1m,mode=0700"));
    world.terraform.apply(&[]).must_fail_with(&["full", "bytes free"]);
    behind_mounts(&mut world, &mount("size=4k,mode=0700"));
    world.terraform.apply(&[]).must_fail_with(&["full"]);
    must_be_untouched(&world);
    world.terraform.use_default_program();
    mended(&world);
}

#[test]
fn paths_with_blanks_and_foreign_letters_work() {
    let mut world = World::new(Kafka::StandIn);
    let data = world.terraform.path("mein Verzeichnis ü 数据/data");
    world.terraform.set("MSK_LOCAL_DATA_DIRECTORY", &data);
    world.apply();
    world.terraform.plan_must_be_empty();
    world.terraform.destroy(&[]).must_succeed();
    assert_eq!(fs::read_dir(data.join("clusters")).map_or(0, Iterator::count), 0);
    let left = world.terraform.processes();
    assert!(left.is_empty(), "{left:?}");
}

/// Kafka itself, its start script's quoting included, on such a path.
#[test]
fn real_kafka_runs_on_paths_with_blanks_and_foreign_letters() {
    let mut world = World::new(Kafka::Real);
    let data = world.terraform.path("mein Verzeichnis ü 数据/data");
    world.terraform.set("MSK_LOCAL_DATA_DIRECTORY", &data);
    world.apply();
    world.terraform.plan_must_be_empty();
    world.terraform.destroy(&[]).must_succeed();
    let left = world.terraform.processes();
    assert!(left.is_empty(), "{left:?}");
}
