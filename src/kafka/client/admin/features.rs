//! The cluster's feature levels, above all `metadata.version`.

use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{ApiVersionsRequest, UpdateFeaturesRequest};

use super::{Admin, Apply, text};
use crate::kafka::client::connection::who_we_are;
use crate::kafka::client::error::Error;

/// The range of levels of a feature that the broker's software knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportedFeature {
    /// Such as `metadata.version`.
    pub name: String,
    /// The lowest level.
    pub first: i16,
    /// The highest level.
    pub last: i16,
}

/// The level of a feature that the cluster has agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinalizedFeature {
    /// Such as `metadata.version`.
    pub name: String,
    /// The level; features at level 0 are not listed.
    pub level: i16,
}

/// What the broker can and what the cluster does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// Of the broker that was asked.
    pub supported: Vec<SupportedFeature>,
    /// Of the cluster, as the broker that was asked knows it.
    pub finalized: Vec<FinalizedFeature>,
    /// The offset of the last record of the metadata log that the node that was asked has published to
    /// itself (`KRaftMetadataCache.features`, Kafka 3.9 to 4.3); `None` if there is none yet.
    pub epoch: Option<i64>,
}

impl Features {
    /// The level of a finalized feature.
    pub fn level(&self, name: &str) -> Option<i16> {
        self.finalized
            .iter()
            .find(|feature| feature.name == name)
            .map(|feature| feature.level)
    }

    /// The cluster's `metadata.version` as a feature level, such as 30 for 4.3-IV0.
    pub fn metadata_version(&self) -> Option<i16> {
        self.level("metadata.version")
    }
}

/// How far a change of a level may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureMove {
    /// Only up.
    Upgrade,
    /// Down, as long as no metadata is lost.
    SafeDowngrade,
}

/// A new level for one feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureChange {
    /// Such as `metadata.version`.
    pub name: String,
    /// The new level; 0 switches the feature off.
    pub level: i16,
    /// What is allowed.
    pub movement: FeatureMove,
}

impl Admin {
    /// Reads the feature levels, and how far this node has published the metadata log.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn describe_features(&self) -> Result<Features, Error> {
        let answer = self.session.call(|_| who_we_are()).await?;
        let body = answer.body;
        self.check::<ApiVersionsRequest>(body.error_code, None)?;
        let supported = body.supported_features.iter().map(|feature| SupportedFeature {
            name: feature.name.as_str().to_owned(),
            first: feature.min_version,
            last: feature.max_version,
        });
        let finalized = body.finalized_features.iter().map(|feature| FinalizedFeature {
            name: feature.name.as_str().to_owned(),
            level: feature.max_version_level,
        });
        Ok(Features {
            supported: supported.collect(),
            finalized: finalized.collect(),
            epoch: Some(body.finalized_features_epoch).filter(|&epoch| epoch >= 0),
        })
    }

    /// Changes feature levels, all or none.
    ///
    /// # Errors
    /// [`Error`]; `FEATURE_UPDATE_FAILED` and `INVALID_UPDATE_VERSION` as refusals.
    pub async fn update_features(&self, changes: &[FeatureChange], apply: Apply) -> Result<(), Error> {
        let answer = self
            .session
            .call(|_| {
                let updates = changes.iter().map(|change| {
                    FeatureUpdateKey::default()
                        .with_feature(text(&change.name))
                        .with_max_version_level(change.level)
                        .with_upgrade_type(match change.movement {
                            FeatureMove::Upgrade => 1,
                            FeatureMove::SafeDowngrade => 2,
                        })
                });
                UpdateFeaturesRequest::default()
                    .with_timeout_ms(self.broker_timeout_ms())
                    .with_feature_updates(updates.collect())
                    .with_validate_only(apply.validate_only())
            })
            .await?;
        let body = answer.body;
        self.check::<UpdateFeaturesRequest>(body.error_code, body.error_message.as_deref())?;
        // Version 1 tells the error with each feature.
        body.results.iter().try_for_each(|result| {
            self.check::<UpdateFeaturesRequest>(result.error_code, result.error_message.as_deref())
        })
    }
}
