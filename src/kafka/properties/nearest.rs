//! Names that a mistyped one may have meant.

/// The longest name worth comparing; the longest real one has 59 characters.
const LONGEST: usize = 120;

/// At most three of `known` that differ from `name` in few letters, the nearest first.
pub(super) fn names(name: &str, known: impl Iterator<Item = &'static str>) -> Vec<&'static str> {
    if name.len() > LONGEST {
        return Vec::new();
    }
    let wanted: Vec<char> = name.to_lowercase().replace('_', ".").chars().collect();
    let limit = 2 + wanted.len() / 6;
    let mut found: Vec<(usize, &'static str)> = known
        .map(|candidate| (distance(&wanted, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .take(3)
        .map(|(_, candidate)| candidate)
        .collect()
}

/// How many letters must be put in, taken out or replaced (Levenshtein).
fn distance(left: &[char], right: &str) -> usize {
    // `row[j]` is the distance between what was read of `left` and the first `j` letters of `right`.
    let mut row: Vec<usize> = (0..=right.chars().count()).collect();
    for (taken, letter) in left.iter().enumerate() {
        let mut diagonal = taken;
        let mut before = taken + 1;
        let mut next = vec![before];
        for (other, above) in right.chars().zip(row.iter().skip(1)) {
            let replaced = diagonal + usize::from(other != *letter);
            before = replaced.min(above + 1).min(before + 1);
            diagonal = *above;
            next.push(before);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, names};

    #[test]
    fn distance_counts_single_letter_changes() {
        let of = |left: &str, right: &str| distance(&left.chars().collect::<Vec<_>>(), right);
        assert_eq!(of("kitten", "sitting"), 3);
        assert_eq!(of("", "abc"), 3);
        assert_eq!(of("abc", ""), 3);
        assert_eq!(of("same", "same"), 0);
    }

    #[test]
    fn the_nearest_name_comes_first_and_strangers_do_not_come() {
        let known = ["log.retention.ms", "log.retention.bytes", "num.partitions"];
        assert_eq!(names("log.retension.ms", known.into_iter()), ["log.retention.ms"]);
        assert_eq!(
            names("log_retention_ms", known.into_iter()).first(),
            Some(&"log.retention.ms")
        );
        assert!(names("completely.different", known.into_iter()).is_empty());
        assert!(names(&"x".repeat(1_000_000), known.into_iter()).is_empty());
    }
}
