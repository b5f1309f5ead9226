//! What topics, users and ACLs have in common: a desired document is followed, Kafka is looked at, what
//! waits is sent, the brokers are waited for, and the status is told.

use std::sync::Arc;

use tokio::time::Instant;

use super::ApplyError;
use super::shared::{Followed, Published, Remaining, Snapshot, statuses};
use super::spread::{AclChange, Brokers, catch_up};
use crate::clock::Timestamp;
use crate::kafka::client::Admin;
use crate::node::context::Context;
use crate::spec::ids::Generation;
use crate::store::Document;
use crate::store::documents::keys::{PerNode, Single};
use crate::store::documents::{AclsStatus, TopicsStatus, UsersStatus};

/// The connections of the agent in charge.
pub(super) struct Link<'a> {
    pub(super) context: &'a Context,
    /// To the own broker; changes go here.
    pub(super) admin: &'a Arc<Admin>,
    /// To all of them, to see that a change is in force.
    pub(super) brokers: &'a mut Brokers,
}

impl Link<'_> {
    /// Waits until what was sent is in force at every broker.
    async fn wait(&mut self, acls: &AclChange) -> Result<(), ApplyError> {
        self.brokers.wait(self.context, self.admin, acls).await
    }
}

/// The status document of a kind.
pub(super) trait Status: Document + Default + PartialEq + Clone {
    /// Up to which generation everything was applied, and when Kafka was looked at.
    fn head(&self) -> (Generation, Timestamp);
    fn set_applied(&mut self, applied: Generation);
    fn set_observed_at(&mut self, observed_at: Timestamp);
}

macro_rules! statuses {
    ($($status:ident)+) => { $(
        impl Status for $status {
            fn head(&self) -> (Generation, Timestamp) {
                (self.applied, self.observed_at)
            }
            fn set_applied(&mut self, applied: Generation) {
                self.applied = applied;
            }
            fn set_observed_at(&mut self, observed_at: Timestamp) {
                self.observed_at = observed_at;
            }
        }
    )+ };
}

statuses! { AclsStatus TopicsStatus UsersStatus }

/// What is wanted and what is told of one kind.
pub(super) struct Work<D, S> {
    pub(super) desired: Followed<D>,
    pub(super) status: S,
    pub(super) snapshot: Snapshot,
    /// ACL entries that were sent and not yet seen at every broker.
    pub(super) unproven: AclChange,
    published: Published<S>,
}

impl<D: Document + Default, S: Status> Work<D, S> {
    /// Goes on where the agent that was in charge before, on whatever node, has told that it was.
    pub(super) async fn load(
        context: &Context,
        desired: Single,
        status: PerNode,
    ) -> Result<Self, ApplyError> {
        let all = statuses::<S>(context, status).await?;
        let all = all.into_iter().map(|(_, status)| status);
        let newest = all.max_by_key(Status::head);
        Ok(Self {
            desired: Followed::new(context, desired)?,
            status: newest.unwrap_or_default(),
            snapshot: Snapshot::none(),
            unproven: AclChange::default(),
            published: Published::new(context, status).await?,
        })
    }

    /// Writes the status if it says something new.
    pub(super) async fn publish(&mut self, context: &Context) -> Result<(), ApplyError> {
        self.published.publish(context, &self.status).await
    }
}

/// One kind of object, and what the agent in charge remembers of it.
pub(super) trait Kind {
    type Desired: Document + Default;
    type Status: Status;

    fn work(&mut self) -> &mut Work<Self::Desired, Self::Status>;

    /// Reads what Kafka has.
    async fn look(&mut self, admin: &Admin) -> Result<(), ApplyError>;

    /// Sends what the document wants and Kafka does not have; what is left to do goes to `remaining`.
    async fn send(
        &mut self,
        context: &Context,
        admin: &Admin,
        remaining: &mut Remaining,
    ) -> Result<(), ApplyError>;

    /// Whether something is to be sent although the document is not new.
    fn has_more(&self) -> bool {
        false
    }

    /// When there is something to do at the latest.
    fn next(&mut self) -> Instant {
        self.work().snapshot.next()
    }

    /// Brings the status in line with what was seen and done.
    fn show(&mut self);

    /// Looks at Kafka and sends what is due.
    async fn begin(&mut self, link: &Link<'_>) -> Result<Begun, ApplyError> {
        if self.work().snapshot.is_due() {
            let observed_at = Timestamp::now();
            // What a broker shows that is behind would be told as gone.
            catch_up(link.admin).await?;
            self.look(link.admin).await?;
            let work = self.work();
            work.status.set_observed_at(observed_at);
            work.snapshot.taken();
        }
        self.work().desired.refresh(link.context).await?;
        let has_more = self.has_more();
        let work = self.work();
        let wanted = work.desired.generation;
        let mut begun = Begun {
            is_new: wanted > work.status.head().0 || has_more,
            wanted,
            remaining: Remaining::default(),
        };
        if begun.is_new
            && let Err(error) = self.send(link.context, link.admin, &mut begun.remaining).await
        {
            // What is in memory may be wrong: look before the next plan.
            self.work().snapshot.forget();
            return Err(error);
        }
        Ok(begun)
    }

    /// Tells what was done, once the brokers show it; answers when to look again.
    async fn finish(&mut self, context: &Context, begun: Begun) -> Result<Instant, ApplyError> {
        let work = self.work();
        if begun.is_new {
            work.unproven = AclChange::default();
            let (before, _) = work.status.head();
            let applied = begun.remaining.applied(begun.wanted, before);
            work.status.set_applied(applied);
        }
        self.show();
        let work = self.work();
        work.publish(context).await?;
        begun.remaining.check()?;
        Ok(self.next())
    }
}

/// What was sent and is to be told.
pub(super) struct Begun {
    is_new: bool,
    wanted: Generation,
    remaining: Remaining,
}

/// Applies one kind.
pub(super) async fn apply<K: Kind>(kind: &mut K, link: &mut Link<'_>) -> Result<Instant, ApplyError> {
    let begun = kind.begin(link).await?;
    if begun.is_new {
        link.wait(&kind.work().unproven).await?;
    }
    kind.finish(link.context, begun).await
}

/// Applies two kinds and waits for the brokers once. One that fails does not keep the other from going on.
pub(super) async fn apply_both<A: Kind, B: Kind>(
    first: &mut A,
    second: &mut B,
    link: &mut Link<'_>,
) -> Result<Instant, ApplyError> {
    let begun = (first.begin(link).await, second.begin(link).await);
    let is_new = |begun: &Result<Begun, ApplyError>| begun.as_ref().is_ok_and(|begun| begun.is_new);
    if is_new(&begun.0) || is_new(&begun.1) {
        let mut unproven = first.work().unproven.clone();
        unproven.extend(&second.work().unproven);
        link.wait(&unproven).await?;
    }
    let first = match begun.0 {
        Ok(begun) => first.finish(link.context, begun).await,
        Err(error) => Err(error),
    };
    let second = match begun.1 {
        Ok(begun) => second.finish(link.context, begun).await,
        Err(error) => Err(error),
    };
    Ok(first?.min(second?))
}
