//! The attributes of `aws = { … }`. Names and meaning are those of hashicorp/aws 6.

use super::super::schema::{absolute_path, not_empty, sha512, url};
use super::forms;
use crate::tfplugin::Type;
use crate::tfplugin::schema::{
    Attribute, boolean, duration, each, list, list_of_objects, map, number, object, one_of, range, set,
    string, text,
};

/// Every attribute.
pub(in crate::resource::provider) fn members() -> Vec<(&'static str, Attribute)> {
    let mut members = credentials();
    members.extend(client());
    members.extend(ours());
    members
}

fn optional(description: &str) -> Attribute {
    string().optional().description(description)
}

fn flag(description: &str) -> Attribute {
    boolean().optional().description(description)
}

fn ours() -> Vec<(&'static str, Attribute)> {
    vec![
        (
            "control_bucket",
            string().required().validate(text(forms::bucket)).description(
                "The S3 bucket that holds the control store: what the nodes should be and what they say, and the \
                 programs that they run. Versioned; in the same Region.",
            ),
        ),
        (
            "create_control_bucket",
            flag("Whether `control_bucket` is created if it is not there. Default: false."),
        ),
        (
            "control_prefix",
            optional("The prefix of the control store in its bucket. Default: `msk/`.").validate(text(forms::prefix)),
        ),
        (
            "control_kms_key_id",
            optional("The KMS key of the control store's objects. Default: what the bucket says.")
                .validate(text(not_empty)),
        ),
        (
            "kafka_directory",
            optional(
                "As in `local`, on the machine that runs Terraform: the nodes' Kafka is uploaded from here, once per \
                 version.",
            )
            .validate(text(absolute_path)),
        ),
        (
            "kafka_archive_url",
            optional("As in `local`.").validate(text(url)),
        ),
        (
            "kafka_archive_sha512",
            map(Type::String)
                .optional()
                .validate(each(text(sha512)))
                .description("As in `local`."),
        ),
        (
            "maven_command",
            optional("As in `local`.").validate(text(not_empty)),
        ),
        (
            "java_archives",
            object(vec![("x86_64", java_archive()), ("arm64", java_archive())])
                .optional()
                .description(
                    "Java for the nodes, by their architecture. Default: the Java of the machine that runs Terraform \
                     (`JAVA_HOME`, `PATH`), if that is Linux of the same architecture.",
                ),
        ),
    ]
}

fn java_archive() -> Attribute {
    let members = vec![
        (
            "url",
            optional(
                "An `https` URL or the absolute path of a `.tar.gz` with a Java runtime for Linux. It is uploaded to \
                 the control bucket once.",
            )
            .validate(text(forms::archive)),
        ),
        (
            "sha256",
            optional("The SHA-256 digest of the archive.").validate(text(forms::sha256)),
        ),
    ];
    object(members)
        .optional()
        .description("The archive for nodes of this architecture.")
}

fn credentials() -> Vec<(&'static str, Attribute)> {
    let files = |description: &str| {
        list(Type::String)
            .optional()
            .validate(each(text(not_empty)))
            .description(description)
    };
    vec![
        (
            "region",
            optional("The AWS Region. Default: `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's.")
                .validate(text(not_empty)),
        ),
        (
            "profile",
            optional(
                "The profile in the shared configuration and credentials files. Default: `AWS_PROFILE`.",
            )
            .validate(text(not_empty)),
        ),
        (
            "access_key",
            optional("The access key; better is a profile, the environment or a role.")
                .validate(text(not_empty)),
        ),
        (
            "secret_key",
            optional("The secret key.").validate(text(not_empty)).sensitive(),
        ),
        (
            "token",
            optional("The session token of temporary credentials.")
                .validate(text(not_empty))
                .sensitive(),
        ),
        (
            "shared_config_files",
            files("Paths of shared configuration files."),
        ),
        (
            "shared_credentials_files",
            files("Paths of shared credentials files."),
        ),
        (
            "assume_role",
            list_of_objects(assume_role())
                .optional()
                .description("Roles to assume, each with the credentials of the one before."),
        ),
        (
            "assume_role_with_web_identity",
            object(vec![
                (
                    "role_arn",
                    optional("The role to assume.").validate(text(forms::role_arn)),
                ),
                (
                    "session_name",
                    optional("The name of the session.").validate(text(forms::session_name)),
                ),
                (
                    "web_identity_token_file",
                    optional("The file with the token.").validate(text(not_empty)),
                ),
                (
                    "duration",
                    optional("How long the session lasts, such as `1h`.").validate(duration()),
                ),
            ])
            .optional()
            .description("The role to assume with a web identity, instead of other credentials."),
        ),
    ]
}

fn assume_role() -> Vec<(&'static str, Attribute)> {
    vec![
        (
            "role_arn",
            optional("The role to assume.").validate(text(forms::role_arn)),
        ),
        (
            "session_name",
            optional("The name of the session.").validate(text(forms::session_name)),
        ),
        (
            "external_id",
            optional("The external id.").validate(text(not_empty)),
        ),
        (
            "duration",
            optional("How long the session lasts, `15m` to `12h`.").validate(duration()),
        ),
        (
            "policy",
            optional("A policy that narrows the role, as JSON.").validate(text(not_empty)),
        ),
        (
            "tags",
            map(Type::String).optional().description("Tags of the session."),
        ),
    ]
}

fn client() -> Vec<(&'static str, Attribute)> {
    let services = [
        "ec2",
        "autoscaling",
        "s3",
        "kms",
        "iam",
        "secretsmanager",
        "ssm",
        "sts",
        "cloudwatch",
        "logs",
        "kinesis",
        "firehose",
        "route53",
        "servicequotas",
    ];
    let endpoints = services.map(|service| {
        let endpoint = optional("The URL of the service. Default: `AWS_ENDPOINT_URL_…`, `AWS_ENDPOINT_URL`.");
        (service, endpoint.validate(text(forms::http_url)))
    });
    let texts = |description: &str| set(Type::String).optional().description(description);
    let proxy = |description: &str| optional(description).validate(text(forms::http_url));
    let mut members = vec![
        (
            "default_tags",
            map(Type::String)
                .optional()
                .description("Tags that every taggable object gets."),
        ),
        (
            "ignore_tags",
            object(vec![
                ("keys", texts("Keys of tags to ignore.")),
                ("key_prefixes", texts("Prefixes of keys of tags to ignore.")),
            ])
            .optional()
            .description("Tags that others manage."),
        ),
        (
            "endpoints",
            object(endpoints).optional().description("Own URLs of services."),
        ),
        (
            "allowed_account_ids",
            texts("The only accounts to work in. Excludes `forbidden_account_ids`.")
                .validate(each(text(forms::account))),
        ),
        (
            "forbidden_account_ids",
            texts("Accounts never to work in.").validate(each(text(forms::account))),
        ),
        (
            "max_retries",
            number()
                .optional()
                .validate(range(0..=100))
                .description("How often a call is tried at most. Default: 25."),
        ),
        (
            "retry_mode",
            optional("`standard`, or `adaptive`, which slows down while AWS throttles. Default: `standard`.")
                .validate(one_of(["standard", "adaptive"])),
        ),
    ];
    members.extend(flags());
    members.extend([
        (
            "custom_ca_bundle",
            optional("A PEM file with authorities to trust besides the system's. Default: `AWS_CA_BUNDLE`.")
                .validate(text(not_empty)),
        ),
        (
            "http_proxy",
            proxy("The proxy for `http` URLs. Default: `HTTP_PROXY`."),
        ),
        (
            "https_proxy",
            proxy("The proxy for `https` URLs. Default: `HTTPS_PROXY`."),
        ),
        (
            "no_proxy",
            optional("Hosts that are reached without proxy. Default: `NO_PROXY`.").validate(text(not_empty)),
        ),
    ]);
    members
}

fn flags() -> Vec<(&'static str, Attribute)> {
    vec![
        (
            "s3_use_path_style",
            flag("Whether buckets stand in the path of URLs and not in the host name."),
        ),
        (
            "skip_credentials_validation",
            flag("Whether credentials are used without asking first whose they are."),
        ),
        (
            "skip_region_validation",
            flag("Whether the form of the Region's name is not checked."),
        ),
        (
            "skip_requesting_account_id",
            flag("Whether the account's id is not asked for. Needed by emulators without STS."),
        ),
        (
            "skip_metadata_api_check",
            flag("Whether the instance metadata service is not asked for credentials."),
        ),
        ("use_fips_endpoint", flag("Whether FIPS endpoints are used.")),
        (
            "use_dualstack_endpoint",
            flag("Whether dual-stack endpoints are used."),
        ),
        (
            "insecure",
            flag(
                "Whether TLS certificates are not checked. Not in this version: name your authority in `custom_ca_bundle`.",
            ),
        ),
    ]
}
