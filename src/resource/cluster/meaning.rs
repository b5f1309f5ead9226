//! Values of `msk_cluster` that mean the same although they are spelled differently.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::tfplugin::{Attr, Value};

/// `m5.large` is `kafka.m5.large`.
pub(super) fn same_instance_type(left: &Value, right: &Value) -> bool {
    both(left, right, |text| {
        text.strip_prefix("kafka.").unwrap_or(text).to_owned()
    })
}

/// A key's id is the end of its ARN; an alias is the end of the alias's ARN.
pub(super) fn same_key(left: &Value, right: &Value) -> bool {
    both(left, right, |text| {
        let resource = if text.starts_with("arn:") {
            text.splitn(6, ':').last().unwrap_or(text)
        } else {
            text
        };
        resource.strip_prefix("key/").unwrap_or(resource).to_owned()
    })
}

/// `10.0.0.7/8` is `10.0.0.0/8`; IPv6 addresses have many spellings.
pub(super) fn same_address_ranges(left: &Value, right: &Value) -> bool {
    let read = |value: &Value| -> Option<BTreeSet<(IpAddr, u8)>> {
        let items = value.as_elements().known()?;
        items
            .iter()
            .map(|item| address_range(item.as_str().known()?))
            .collect()
    };
    matches!((read(left), read(right)), (Some(left), Some(right)) if left == right)
}

fn both(left: &Value, right: &Value, meaning: impl Fn(&str) -> String) -> bool {
    matches!((left.as_str(), right.as_str()), (Attr::Known(left), Attr::Known(right)) if meaning(left) == meaning(right))
}

/// The network of a range, without the bits of hosts.
fn address_range(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let length: u8 = length.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(address) => {
            let mask = u32::MAX
                .checked_shl(32u32.checked_sub(u32::from(length))?)
                .unwrap_or(0);
            Some((IpAddr::V4((u32::from(address) & mask).into()), length))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX
                .checked_shl(128u32.checked_sub(u32::from(length))?)
                .unwrap_or(0);
            Some((IpAddr::V6((u128::from(address) & mask).into()), length))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{same_address_ranges, same_instance_type, same_key};
    use crate::tfplugin::Value;

    #[test]
    fn another_spelling_of_a_size_or_a_key_is_no_change() {
        assert!(same_instance_type(&"m5.large".into(), &"kafka.m5.large".into()));
        assert!(!same_instance_type(&"m5.large".into(), &"m5.xlarge".into()));
        let arn = "arn:aws:kms:eu-central-1:123456789012:key/1234";
        assert!(same_key(&"1234".into(), &arn.into()));
        assert!(same_key(
            &"alias/a".into(),
            &"arn:aws:kms:eu-central-1:123456789012:alias/a".into()
        ));
        assert!(!same_key(&"alias/1234".into(), &arn.into()));
    }

    #[test]
    fn another_spelling_of_an_address_range_is_no_change() {
        let set = |items: &[&str]| Value::set(items.iter().copied());
        assert!(same_address_ranges(&set(&["10.0.0.7/8"]), &set(&["10.0.0.0/8"])));
        assert!(same_address_ranges(
            &set(&["2001:DB8:0:0::/32", "0.0.0.0/0"]),
            &set(&["0.0.0.0/0", "2001:db8::/32"])
        ));
        assert!(!same_address_ranges(&set(&["10.0.0.0/8"]), &set(&["10.0.0.0/9"])));
        assert!(!same_address_ranges(&set(&["garbage"]), &set(&["garbage"])));
        assert!(!same_address_ranges(
            &set(&["10.0.0.0/33"]),
            &set(&["10.0.0.0/33"])
        ));
    }
}
