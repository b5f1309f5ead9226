//! Create: claim the name, make what is missing, record that it is made.

use std::sync::Arc;

use super::claim::{CreateDecision, Standing, decide_create, describe};
use super::converge::{Converged, Work};
use super::error::{ClusterError, StepError};
use super::observe::has_user_topics;
use super::record::{RecordKeeper, hold};
use super::{Clusters, CreateRequest, Outcome};
use crate::engine::Engine;
use crate::engine::effects::effect;
use crate::planner::plan_cluster;
use crate::process::holder_lives;
use crate::spec::ids::{ClaimId, ClusterUid};
use crate::store::documents::{Claim, ClusterRecord, Phase, keys};
use crate::store::identity::random_id;
use crate::store::{Documents, Put, Versioned};

/// A create that finds a misfit removes it and begins anew; twice in a row is somebody's doing.
const ATTEMPTS: u32 = 3;
/// How often the claim is tried when others write the record at the same time.
const RACES: u32 = 10;

impl<E: Engine> Clusters<E> {
    /// Creates a cluster, or carries on with what a dead create left.
    ///
    /// *Guarantees*: the claim is written before any other effect. Once the cluster was ACTIVE the
    /// outcome has no failure; what went wrong later is a warning.
    ///
    /// # Errors
    /// [`ClusterError`] if nothing of this create is in the store; else the outcome has the failure.
    pub async fn create(&self, request: &CreateRequest) -> Result<Outcome, ClusterError> {
        let first_look = self.read_record(&request.wanted.name).await?;
        if first_look.is_none() {
            let plan = plan_cluster(Some(&request.wanted), None, crate::clock::Timestamp::now());
            self.engine
                .check_host(&request.wanted, &plan.steps)
                .await
                .map_err(ClusterError::Host)?;
        }
        let claim = ClaimId::new(random_id()?);
        let mut attempt = 1;
        loop {
            let keeper = self.claim(request, &claim).await?;
            let outcome = self.make(request, &keeper).await?;
            match outcome {
                Some(outcome) => return Ok(outcome),
                None if attempt < ATTEMPTS => attempt += 1,
                None => {
                    return Err(ClusterError::NotConverging {
                        rounds: ATTEMPTS,
                        step: "create anew".to_owned(),
                    });
                }
            }
        }
    }

    /// Works under the claim; `None`: the parts did not fit and are gone, so begin anew.
    async fn make(
        &self,
        request: &CreateRequest,
        keeper: &Arc<RecordKeeper>,
    ) -> Result<Option<Outcome>, ClusterError> {
        let heartbeat = keeper.keep_alive();
        let work = Work {
            operation: "create",
            wanted: Some(&request.wanted),
            planned: None,
            keeper,
            heartbeat: &heartbeat,
            limits: &request.limits,
        };
        let result = self.converge(&work).await;
        drop(heartbeat);
        let (observed, mut warnings, failure) = match result {
            Ok(Converged::Removed) => return Ok(None),
            Ok(Converged::Done(observed, warnings)) => (Some(*observed), warnings, None),
            Err(failure @ ClusterError::Step(StepError::TakenOver)) => return Err(failure),
            Err(failure) => (None, Vec::new(), Some(failure)),
        };
        let ended = keeper
            .change("end the create", |record| record.claim.holder = None)
            .await;
        let record = match ended {
            Ok(record) => record,
            Err(error) if failure.is_some() => {
                tracing::warn!(%error, "the end of a failed create was not recorded");
                keeper.record().await?
            }
            Err(error) => return Err(error.into()),
        };
        let failure = match failure {
            Some(failure) if record.first_active_at.is_some() => {
                warnings.push(format!(
                    "The cluster was made and serves; what followed did not succeed: {}. Apply again to mend it.",
                    crate::engine::journal::chain(&failure)
                ));
                None
            }
            other => other,
        };
        let observed = match observed {
            Some(observed) => Some(observed),
            None => super::observe::observe(self.engine.as_ref(), &self.store, &record)
                .await
                .ok(),
        };
        Ok(Some(Outcome {
            handle: self.handle_of(&record),
            record,
            observed,
            failure,
            warnings,
        }))
    }

    /// Rules (d) and (e): writes this create's claim, or says why it may not.
    async fn claim(
        &self,
        request: &CreateRequest,
        claim: &ClaimId,
    ) -> Result<Arc<RecordKeeper>, ClusterError> {
        for _ in 0..RACES {
            let found = self.read_record(&request.wanted.name).await?;
            let claimed = match found {
                None => self.claim_new(request, claim).await?,
                Some(found) => self.claim_found(request, claim, found).await?,
            };
            if let Some(read) = claimed {
                self.walk.note(claim);
                return Ok(Arc::new(RecordKeeper::new(&self.store, read)?));
            }
        }
        Err(StepError::TakenOver.into())
    }

    async fn claim_new(
        &self,
        request: &CreateRequest,
        claim: &ClaimId,
    ) -> Result<Option<Versioned<ClusterRecord>>, ClusterError> {
        let mut record = ClusterRecord {
            name: request.wanted.name.clone(),
            uid: ClusterUid::new(random_id()?),
            claim: new_claim(request, claim),
            phase: Phase::Making,
            first_active_at: None,
            deletion_protection: request.wanted.deletion_protection,
            deleting: false,
            written: request.written.clone(),
            configuration: attached(request),
        };
        hold(&mut record);
        let key = keys::cluster_record(&record.name)?;
        let documents = Documents::of_store(&self.store);
        match effect("claim the name", documents.create(&key, &record)).await? {
            Put::Written(generation, version) => Ok(Some(Versioned {
                body: record,
                generation,
                version,
                modified_at: crate::clock::Timestamp::now(),
            })),
            Put::Conflict => Ok(None),
        }
    }

    async fn claim_found(
        &self,
        request: &CreateRequest,
        claim: &ClaimId,
        found: Versioned<ClusterRecord>,
    ) -> Result<Option<Versioned<ClusterRecord>>, ClusterError> {
        let record = &found.body;
        if record.claim.id == *claim {
            // An answer was lost: the claim stands already.
            return Ok(Some(found));
        }
        let run_is_alive = record.claim.holder.as_ref().is_some_and(holder_lives);
        let facts = Standing {
            phase: record.phase,
            caller: &record.claim.caller,
            run_is_alive,
            is_live: record.first_active_at.is_some() || has_user_topics(&self.store, &record.uid).await?,
            is_equal: record.written == request.written,
            was_presented: self.walk.knows(&record.claim.id),
        };
        match decide_create(Some(facts), &request.caller) {
            CreateDecision::Busy => {
                return Err(ClusterError::Busy {
                    name: record.name.clone(),
                    holder: describe(&record.claim),
                });
            }
            CreateDecision::Exists if record.deleting => {
                return Err(ClusterError::Deleting {
                    name: record.name.clone(),
                });
            }
            CreateDecision::Exists => {
                return Err(ClusterError::Exists {
                    name: record.name.clone(),
                    holder: describe(&record.claim),
                    label: terraform_label(record.name.as_str()),
                    place: self.engine.arguments(),
                });
            }
            CreateDecision::Make | CreateDecision::TakeOver => {}
        }
        tracing::info!(cluster = %record.name, "carries on with what another run left");
        let mut taken = record.clone();
        taken.claim = new_claim(request, claim);
        taken.deleting = false;
        taken.deletion_protection = request.wanted.deletion_protection;
        taken.written = request.written.clone();
        taken.configuration = attached(request);
        hold(&mut taken);
        let key = keys::cluster_record(&taken.name)?;
        let documents = Documents::of_store(&self.store);
        match effect("take the claim over", documents.replace(&key, &found, &taken)).await? {
            Put::Written(generation, version) => Ok(Some(Versioned {
                body: taken,
                generation,
                version,
                modified_at: found.modified_at,
            })),
            Put::Conflict => Ok(None),
        }
    }
}

fn new_claim(request: &CreateRequest, claim: &ClaimId) -> Claim {
    Claim {
        id: claim.clone(),
        caller: request.caller.clone(),
        holder: None,
    }
}

fn attached(request: &CreateRequest) -> Option<(String, u64)> {
    let configuration = request.wanted.configuration.as_ref()?;
    Some((configuration.id.clone(), configuration.revision))
}

/// A name as a Terraform label: what is not allowed there becomes `_`, and it begins with a letter.
pub(crate) fn terraform_label(name: &str) -> String {
    let mut label: String = name
        .chars()
        .map(|letter| {
            if letter.is_ascii_alphanumeric() || letter == '-' {
                letter
            } else {
                '_'
            }
        })
        .collect();
    if !label.starts_with(|first: char| first.is_ascii_alphabetic()) {
        label.insert(0, '_');
    }
    label
}
