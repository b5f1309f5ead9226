//! What may be done with a disk. Pure: every rule that keeps data from being formatted away is here, as a table.
//!
//! An empty directory, a failed mount and a lost disk all look blank, so blank alone proves nothing. A disk is
//! formatted only if *everything* says that nothing was ever on it: the desired document names this very volume, the
//! store's claim does not say that a format was done, EC2 neither tells of a snapshot behind it nor has it tagged as
//! initialized nor gives it to anybody else, no signature is on it, and its beginning and end are zeros.

use crate::store::documents::ProblemCode;

/// What EC2 says of the volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Such as `available` and `in-use`.
    pub(super) state: String,
    /// Another instance that has it.
    pub(super) holder: Option<String>,
    /// This instance has it.
    pub(super) is_ours: bool,
    /// This instance is about to have it, or to lose it.
    pub(super) is_coming: bool,
    /// The end of this instance would be the end of the volume.
    pub(super) goes_with_the_instance: bool,
    /// It was made from a snapshot.
    pub(super) has_snapshot: bool,
    /// It is tagged as formatted.
    pub(super) was_initialized: bool,
}

/// What the store says of the node's first format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// The store cannot be read.
    Unknown,
    /// Nobody has begun.
    Absent,
    /// Begun on this volume.
    Started,
    /// Done on this volume: there is data on it.
    Done,
    /// Begun or done on another volume.
    Elsewhere,
}

/// What is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// No signature, and zeros at both ends.
    Blank,
    /// Our kind of file system with this node's label.
    OurFileSystem {
        /// Its UUID.
        id: String,
    },
    /// Something else, in words.
    Foreign(String),
    /// It could not be read: nothing is known.
    Unreadable(String),
}

/// Everything that counts.
#[derive(Debug, Clone)]
pub(super) struct Question<'a> {
    /// The volume.
    pub(super) volume_id: &'a str,
    /// What EC2 says; `None`: EC2 cannot be asked.
    pub(super) facts: Option<&'a Facts>,
    /// The volume that the desired document names for this node; `None`: there is no document, or it names none.
    pub(super) desired_volume: Option<&'a str>,
    /// The store's claim.
    pub(super) claim: Claim,
    /// The disk.
    pub(super) content: &'a Content,
    /// The file system that the node last said it has.
    pub(super) known_file_system: Option<&'a str>,
}

/// What may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Format it, after the claim is taken.
    Format,
    /// Mount the file system with this UUID.
    Mount(String),
    /// Nothing yet: what must be known is not.
    Wait(String),
    /// Nothing at all; a person has to look.
    Refuse(ProblemCode, String),
}

/// Judges a disk.
pub(super) fn judge(question: &Question<'_>) -> Verdict {
    let volume = question.volume_id;
    if let Some(desired) = question.desired_volume
        && desired != volume
    {
        let text = format!(
            "the desired document gives this node the volume {desired}, this machine was made for {volume}; \
             apply again, so that its group gets the right template"
        );
        return Verdict::Refuse(ProblemCode::DataForeign, text);
    }
    if question.claim == Claim::Elsewhere {
        let text = format!(
            "this node's data lies on another volume than {volume}; nothing on it was touched. Bring the former \
             one back, or name the node in `replace_volumes`"
        );
        return Verdict::Refuse(ProblemCode::DataForeign, text);
    }
    match question.content {
        Content::OurFileSystem { id } => mount(question, id),
        Content::Blank => format(question),
        Content::Foreign(what) => Verdict::Refuse(
            ProblemCode::DataForeign,
            format!("{volume} holds {what}, which is not this node's; it was not touched"),
        ),
        Content::Unreadable(why) => Verdict::Refuse(
            ProblemCode::DataUnusable,
            format!("{volume} cannot be read: {why}; it was not touched"),
        ),
    }
}

fn mount(question: &Question<'_>, id: &str) -> Verdict {
    let volume = question.volume_id;
    if let Some(known) = question.known_file_system
        && known != id
        && question.claim == Claim::Done
    {
        let text = format!(
            "{volume} has the file system {id}, this node's was {known}; it was not mounted. Bring the former \
             volume back"
        );
        return Verdict::Refuse(ProblemCode::DataForeign, text);
    }
    let restored = question.facts.is_some_and(|facts| facts.has_snapshot);
    if question.claim == Claim::Absent && !restored {
        let text = format!(
            "{volume} has a file system of a node, and the store knows of no format: the store was rolled back, or \
             the volume is another cluster's; it was not mounted"
        );
        return Verdict::Refuse(ProblemCode::DataForeign, text);
    }
    Verdict::Mount(id.to_owned())
}

fn format(question: &Question<'_>) -> Verdict {
    let volume = question.volume_id;
    let lost = |why: &str| {
        let text = format!(
            "{volume} is blank, but {why}: the data is gone, or this is not the disk; it is never formatted again by \
             itself. Restore a snapshot, or name the node in `replace_volumes`"
        );
        Verdict::Refuse(ProblemCode::DataMissing, text)
    };
    match question.claim {
        Claim::Done => return lost("it was formatted before"),
        Claim::Unknown => return Verdict::Wait("waits for the store, to know whether to format".to_owned()),
        Claim::Absent | Claim::Started | Claim::Elsewhere => {}
    }
    let Some(facts) = question.facts else {
        return Verdict::Wait("waits for EC2, to know whether to format".to_owned());
    };
    if facts.was_initialized {
        return lost("it is tagged as formatted");
    }
    if facts.has_snapshot {
        return lost("it was made from a snapshot");
    }
    if !facts.is_ours || facts.is_coming || facts.holder.is_some() {
        return Verdict::Wait(format!("waits for {volume} to be this machine's alone"));
    }
    if question.desired_volume != Some(volume) {
        return Verdict::Wait("waits for a desired document that names this volume".to_owned());
    }
    Verdict::Format
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOLUME: &str = "vol-1";

    fn ours() -> Facts {
        Facts {
            state: "in-use".to_owned(),
            is_ours: true,
            ..Facts::default()
        }
    }

    fn judged<'a>(facts: &'a Facts, content: &'a Content, change: impl FnOnce(&mut Question<'a>)) -> Verdict {
        let mut question = Question {
            volume_id: VOLUME,
            facts: Some(facts),
            desired_volume: Some(VOLUME),
            claim: Claim::Absent,
            content,
            known_file_system: None,
        };
        change(&mut question);
        judge(&question)
    }

    fn blank(change: impl FnOnce(&mut Question<'_>)) -> Verdict {
        judged(&ours(), &Content::Blank, change)
    }

    fn ours_on_it() -> Content {
        Content::OurFileSystem { id: "a".to_owned() }
    }

    #[test]
    fn one_yes_less_and_nothing_is_formatted() {
        assert_eq!(blank(|_| {}), Verdict::Format);
        assert_eq!(blank(|question| question.claim = Claim::Started), Verdict::Format);

        let worse: [fn(&mut Facts); 5] = [
            |facts| facts.was_initialized = true,
            |facts| facts.has_snapshot = true,
            |facts| facts.is_ours = false,
            |facts| facts.is_coming = true,
            |facts| facts.holder = Some("i-2".to_owned()),
        ];
        for change in worse {
            let mut facts = ours();
            change(&mut facts);
            assert_ne!(
                judged(&facts, &Content::Blank, |_| {}),
                Verdict::Format,
                "{facts:?}"
            );
        }
        assert_ne!(blank(|question| question.facts = None), Verdict::Format);
        for desired in [None, Some("vol-2")] {
            assert_ne!(
                blank(|question| question.desired_volume = desired),
                Verdict::Format
            );
        }
        for claim in [Claim::Unknown, Claim::Done, Claim::Elsewhere] {
            assert_ne!(
                blank(|question| question.claim = claim),
                Verdict::Format,
                "{claim:?}"
            );
        }
        let contents = [
            ours_on_it(),
            Content::Foreign("an ext4 file system".to_owned()),
            Content::Unreadable("input/output error".to_owned()),
        ];
        for content in &contents {
            for claim in [Claim::Unknown, Claim::Absent, Claim::Started, Claim::Done] {
                let verdict = judged(&ours(), content, |question| question.claim = claim);
                assert_ne!(verdict, Verdict::Format, "{content:?} {claim:?}");
            }
        }
    }

    #[test]
    fn data_that_is_gone_is_told_and_never_made_anew() {
        let verdict = blank(|question| question.claim = Claim::Done);
        assert!(
            matches!(verdict, Verdict::Refuse(ProblemCode::DataMissing, _)),
            "{verdict:?}"
        );
    }

    #[test]
    fn a_file_system_of_ours_is_mounted_also_while_store_and_ec2_are_away() {
        for claim in [Claim::Unknown, Claim::Started, Claim::Done] {
            let verdict = judged(&ours(), &ours_on_it(), |question| {
                question.claim = claim;
                question.facts = None;
                question.desired_volume = None;
            });
            assert_eq!(verdict, Verdict::Mount("a".to_owned()), "{claim:?}");
        }
    }

    #[test]
    fn a_file_system_that_nobody_claimed_or_another_one_is_not_mounted() {
        let refused = |change: fn(&mut Question<'_>)| {
            let verdict = judged(&ours(), &ours_on_it(), change);
            matches!(verdict, Verdict::Refuse(ProblemCode::DataForeign, _))
        };
        assert!(refused(|_| {}));
        assert!(refused(|question| {
            question.claim = Claim::Done;
            question.known_file_system = Some("b");
        }));
        assert!(refused(|question| question.claim = Claim::Elsewhere));
        let restored = Facts {
            has_snapshot: true,
            ..ours()
        };
        let verdict = judged(&restored, &ours_on_it(), |_| {});
        assert_eq!(
            verdict,
            Verdict::Mount("a".to_owned()),
            "what was restored is mounted"
        );
    }
}
