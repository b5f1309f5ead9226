//! Refresh and import of a small object. Writes nothing.

use std::time::Duration;

use super::{Entity, private_of, report, written};
use crate::engine::access::{AccessError, Kind, ObjectReading};
use crate::resource::access::sightings::Held;
use crate::resource::private::{self, ObjectPrivate};
use crate::resource::{ProviderData, configured};
use crate::spec::ids::{ClaimId, StoreId};
use crate::store::documents::WrittenConfiguration;
use crate::store::identity::random_id;
use crate::tfplugin::{Context, Diagnostics, ImportRequest, Imported, Object, ReadRequest, Seen, chain};

/// Looks at the object of a state.
pub(in crate::resource) async fn read<T: Entity>(
    context: &Context<ProviderData>,
    request: &ReadRequest,
) -> Seen {
    let mut answer = request.begin();
    let Some(data) = context.data() else { return answer };
    let found = &mut answer.diagnostics;
    let Some(mut kept) = private_of::<T>(&request.private, found) else {
        return answer;
    };
    let Some(mut place) = T::place(&request.state) else {
        return answer;
    };
    let id = T::id(&place);
    let held = Held {
        store: kept.store.clone(),
        cluster: kept.cluster.clone(),
        claim: kept.claim.clone(),
    };
    data.sightings.hold(T::Kind::RESOURCE, &id, held);
    if data.is_unknown() {
        return answer;
    }
    let Some(access) = data.access(found).await else {
        return answer;
    };
    let Some(clusters) = data.clusters(found).await else {
        return answer;
    };
    if !check_store(clusters.store().id(), &kept, found) {
        return answer;
    }
    place.uid = Some(kept.cluster.clone());
    let reading = match access.read::<T::Kind>(&place).await {
        Ok(reading) => reading,
        Err(AccessError::NoCluster { .. } | AccessError::OtherCluster { .. }) => {
            answer.state = without_cluster(data, &kept, &id, found)
                .await
                .then_some(request.state.clone());
            return answer;
        }
        Err(error) => {
            report(&error, found, "It cannot be looked at");
            return answer;
        }
    };
    match judge::<T>(&kept, &request.state, &reading) {
        Verdict::Gone => answer.state = None,
        Verdict::Prior(finding) => {
            if let Some((summary, detail)) = finding {
                found.general_warning(summary, detail);
            } else {
                warn_of_age(data, place.cluster.as_str(), reading.age, found);
            }
        }
        Verdict::Elsewhere(seen) => {
            answer.state = T::made_elsewhere(&place, seen).map(|config| {
                let mut now = request.state.clone();
                for name in ["partitions", "replication_factor", "operations"] {
                    if let Some(value) = config.try_get(name) {
                        now.set(name, value.clone());
                    }
                }
                now
            });
        }
        Verdict::There(entry, seen) => {
            let mut now = request.state.clone();
            if *T::Kind::written(entry) != kept.written && reading.failure.is_none() {
                restore::<T>(&T::Kind::written(entry).value(), &mut now, found);
                kept.written = T::Kind::written(entry).clone();
                kept.adopted = false;
                private::write(&mut answer.private, &kept, found);
            }
            T::show(&mut now, entry, Some(seen));
            answer.state = Some(now);
        }
    }
    answer
}

/// What a refresh makes of what it read.
enum Verdict<'a, T: Entity> {
    /// It is certainly gone.
    Gone,
    /// The prior state stays, maybe with a warning of its own.
    Prior(Option<(&'static str, String)>),
    /// It is there, was imported from elsewhere, and nothing was changed since.
    Elsewhere(&'a <T::Kind as Kind>::Seen),
    /// It is there.
    There(&'a <T::Kind as Kind>::Entry, &'a <T::Kind as Kind>::Seen),
}

fn judge<'a, T: Entity>(
    kept: &ObjectPrivate,
    state: &Object,
    reading: &'a ObjectReading<T::Kind>,
) -> Verdict<'a, T> {
    let word = T::Kind::WORD;
    let Some(entry) = &reading.entry else {
        return match &reading.seen {
            _ if !reading.is_certain => Verdict::Prior(None),
            None => Verdict::Gone,
            Some(seen) if kept.adopted && T::is_the_same(state, seen) => Verdict::Elsewhere(seen),
            Some(_) if kept.adopted => Verdict::Prior(Some(replaced(word))),
            Some(_) => Verdict::Prior(Some((
                "The control store does not know it any more",
                format!(
                    "The {word} is there, and the control store has no entry for it: it was deleted from another state \
                     just now, or the store is an older copy. `terraform state rm` forgets it here; import it to manage \
                     it again."
                ),
            ))),
        };
    };
    if T::Kind::claim(entry).id != kept.claim {
        let holder = &T::Kind::claim(entry).caller;
        return Verdict::Prior(Some((
            "Another create has taken it",
            format!(
                "The {word} was taken over by a create in `{}` (workspace `{}`). This state no longer holds it and \
                 cannot change it: `terraform state rm` forgets it here.",
                holder.working_directory, holder.workspace
            ),
        )));
    }
    match &reading.seen {
        _ if !reading.is_certain => Verdict::Prior(None),
        None => Verdict::Gone,
        Some(seen) if T::is_gone(entry, seen) => Verdict::Gone,
        Some(seen) if !T::Kind::is_same(entry, seen) => Verdict::Prior(Some(replaced(word))),
        Some(seen) => Verdict::There(entry, seen),
    }
}

fn replaced(word: &str) -> (&'static str, String) {
    (
        "Another object has its name now",
        format!(
            "The {word} was deleted outside of Terraform, and another one was made under its name. The state stays as \
             it is and nothing is changed. To manage the new one: `terraform state rm` this one, and import it."
        ),
    )
}

/// Once per cluster: an old word of the agents is no ground for a plan.
fn warn_of_age(data: &ProviderData, cluster: &str, age: Option<Duration>, diagnostics: &mut Diagnostics) {
    const BELIEVED: Duration = Duration::from_secs(45);
    if age.is_some_and(|age| age <= BELIEVED) || !data.sightings.is_first_warning(cluster) {
        return;
    }
    let word = age.map_or_else(
        || "No agent has said anything yet".to_owned(),
        |age| format!("The agents' last word is {} s old", age.as_secs()),
    );
    diagnostics.general_warning(
        "Topics, ACLs and users could not be looked at",
        format!(
            "{word} on the cluster `{cluster}`. The state is shown as it was; nothing is created or deleted on such \
             ground. Apply to mend the cluster; `msk-node status` shows its nodes."
        ),
    );
}

/// The record of the cluster is not there: with its tombstone the object is gone too. Answers whether
/// the state stays.
async fn without_cluster(
    data: &ProviderData,
    kept: &ObjectPrivate,
    id: &str,
    diagnostics: &mut Diagnostics,
) -> bool {
    match super::engine::is_buried(data, &kept.cluster, diagnostics).await {
        Ok(true) => return false,
        Ok(false) => diagnostics.general_error(
            "The cluster of this object is not in the control store",
            format!(
                "`{id}` lies on a cluster of which the control store has no record, and no word that it was deleted. \
                 Bring the data directory back from a copy, or forget the object with `terraform state rm`."
            ),
        ),
        Err(error) => report(&error, diagnostics, "It cannot be looked at"),
    }
    true
}

/// An object of another store is never touched and never forgotten.
pub(super) fn check_store(store: &StoreId, kept: &ObjectPrivate, diagnostics: &mut Diagnostics) -> bool {
    if *store == kept.store {
        return true;
    }
    diagnostics.general_error(
        "This is another control store",
        format!(
            "The state was made with the control store {}, and the data directory of the provider block holds {store}. \
             Set `local.data_directory` to the former directory, or bring that directory back.",
            kept.store
        ),
    );
    false
}

/// Sets what the user writes from what was last applied. Values that mean the same stay as spelled.
fn restore<T: Entity>(written: &serde_json::Value, state: &mut Object, diagnostics: &mut Diagnostics) {
    let schema = T::form();
    let Some(applied) = crate::resource::written::applied(schema, written, diagnostics) else {
        return;
    };
    for (name, attribute) in schema.attributes() {
        let value = applied.get(name);
        // What the provider chooses where nothing is written comes from what is seen.
        let is_chosen = attribute.is_computed() && value.is_null();
        let means_the_same = state
            .try_get(name)
            .is_some_and(|before| attribute.means_the_same(before, value));
        if !is_chosen && !means_the_same && !value.is_unknown() {
            state.set(name, value.clone());
        }
    }
}

/// Takes over an object by its id: its last applied configuration, or that of an object made elsewhere.
pub(in crate::resource) async fn import<T: Entity>(
    context: &Context<ProviderData>,
    request: &ImportRequest,
) -> Imported {
    let mut answer = Imported::default();
    let found = &mut answer.diagnostics;
    let Some(data) = configured(context, found) else {
        return answer;
    };
    let place = match T::parse_id(&request.id) {
        Ok(place) => place,
        Err(error) => {
            found.general_error("Not an id", crate::resource::sentence(&chain(&error)));
            return answer;
        }
    };
    let Some(access) = data.access(found).await else {
        return answer;
    };
    let Some(clusters) = data.clusters(found).await else {
        return answer;
    };
    let reading = match access.read::<T::Kind>(&place).await {
        Ok(reading) => reading,
        Err(error) => {
            report(&error, found, "It cannot be looked at");
            return answer;
        }
    };
    let mut state = Object::new();
    let made = match (&reading.entry, &reading.seen) {
        (Some(entry), seen) => {
            restore::<T>(&T::Kind::written(entry).value(), &mut state, found);
            T::show(&mut state, entry, seen.as_ref());
            Some((
                T::Kind::claim(entry).id.clone(),
                T::Kind::written(entry).clone(),
                false,
            ))
        }
        (None, Some(seen)) if reading.is_certain => elsewhere::<T>(&place, seen, &mut state, found),
        (None, _) if !reading.is_certain => {
            found.general_error(
                "It cannot be looked at now",
                format!(
                    "The agents of the cluster `{}` have not said lately what is there. Import again when a broker \
                     serves.",
                    place.cluster
                ),
            );
            None
        }
        (None, _) => {
            found.general_error(
                "There is no such object",
                format!(
                    "The cluster `{}` has no {} `{}`. Create it with this configuration instead.",
                    place.cluster,
                    T::Kind::WORD,
                    place.name
                ),
            );
            None
        }
    };
    let Some((claim, written, adopted)) = made else {
        return answer;
    };
    state.set("id", T::id(&place));
    let kept = ObjectPrivate {
        store: clusters.store().id().clone(),
        cluster: reading.uid,
        claim,
        written,
        destroy: false,
        adopted,
    };
    private::write(&mut answer.private, &kept, found);
    answer.state = Some(state);
    answer
}

fn elsewhere<T: Entity>(
    place: &crate::engine::access::ObjectPlace<T::Kind>,
    seen: &<T::Kind as Kind>::Seen,
    state: &mut Object,
    diagnostics: &mut Diagnostics,
) -> Option<(ClaimId, WrittenConfiguration, bool)> {
    let Some(config) = T::made_elsewhere(place, seen) else {
        diagnostics.general_error(
            "It was made elsewhere",
            format!(
                "The {} `{}` was not made by Terraform, and Kafka never shows its password. Delete it with Kafka's tools \
                 and create it with this configuration, or take another name.",
                T::Kind::WORD,
                place.name
            ),
        );
        return None;
    };
    let claim = match random_id() {
        Ok(claim) => ClaimId::new(claim),
        Err(error) => {
            diagnostics.failure("The system gives no randomness", &error);
            return None;
        }
    };
    for (name, value) in config.iter() {
        state.set(name, value.clone());
    }
    let mut inputs = config;
    inputs.set("id", crate::tfplugin::Value::Null);
    Some((claim, written(T::form(), &inputs), true))
}
