//! Who calls: Terraform's canonical working directory and workspace. The same caller may take over
//! what its own killed run left behind.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::store::documents::Caller;

/// A workspace's name is at most 90 characters in Terraform.
const MAX_WORKSPACE_FILE: u64 = 4096;

/// The caller of this process.
pub(super) fn current() -> std::io::Result<Caller> {
    let directory = std::env::current_dir()?;
    let workspace = std::env::var_os("TF_WORKSPACE");
    let data_directory = std::env::var_os("TF_DATA_DIR");
    Ok(of(&directory, workspace, data_directory))
}

fn of(directory: &Path, workspace: Option<OsString>, data_directory: Option<OsString>) -> Caller {
    let canonical = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let chosen = workspace
        .map(|name| name.to_string_lossy().into_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| {
            selected(&canonical.join(data_directory.map_or_else(|| ".terraform".into(), PathBuf::from)))
        });
    Caller {
        working_directory: canonical.to_string_lossy().into(),
        workspace: chosen.map_or_else(|| "default".into(), Into::into),
    }
}

/// The workspace that `terraform workspace select` chose.
fn selected(data_directory: &Path) -> Option<String> {
    let mut name = String::new();
    std::fs::File::open(data_directory.join("environment"))
        .ok()?
        .take(MAX_WORKSPACE_FILE)
        .read_to_string(&mut name)
        .ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::of;

    #[test]
    fn the_workspace_is_the_variable_else_the_selected_one_else_default() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(&*of(path, None, None).workspace, "default");
        fs::create_dir(path.join(".terraform")).unwrap();
        fs::write(path.join(".terraform/environment"), "staging\n").unwrap();
        assert_eq!(&*of(path, None, None).workspace, "staging");
        assert_eq!(&*of(path, Some("".into()), None).workspace, "staging");
        assert_eq!(&*of(path, Some("blue".into()), None).workspace, "blue");
        assert_eq!(&*of(path, None, Some("elsewhere".into())).workspace, "default");
    }

    #[test]
    fn two_ways_to_one_directory_are_one_caller() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        let real = directory.path().join("real");
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(of(&link, None, None), of(&real, None, None));
    }
}
