//! The APIs that this client speaks, with the versions that it uses of each.
//!
//! The first version of each range is flexible (see [`super::wire`]) and has the fields that our calls rely
//! on; Kafka 3.7 and everything after it offers it, but for the changes of voters, which came with 3.9. The
//! last one is the newest that the codec knows.

use kafka_protocol::messages as m;
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion};

/// A request of ours.
pub(super) trait Api: Encodable + HeaderVersion + Send + Sync {
    /// Its answer.
    type Response: Decodable + HeaderVersion + Send;
    /// Its number.
    const KEY: i16;
    /// The name in Kafka's documents.
    const NAME: &'static str;
    /// The oldest version that we use.
    const FIRST: i16;
    /// The newest version that we use.
    const LAST: i16;
    /// Whether the call changes nothing, so that it may be sent again when the connection broke.
    const READS_ONLY: bool;
}

/// What tests want to know of an API.
#[cfg(test)]
pub(super) struct ApiFacts {
    pub(super) name: &'static str,
    pub(super) key: i16,
    pub(super) used: (i16, i16),
    pub(super) known: kafka_protocol::protocol::VersionRange,
    pub(super) decode: fn(bytes::Bytes, i16) -> bool,
}

macro_rules! apis {
    ($( $effect:ident $name:literal $key:literal $request:ident $response:ident $first:literal ..= $last:literal; )+) => {
        $(
            impl Api for m::$request {
                type Response = m::$response;
                const KEY: i16 = $key;
                const NAME: &'static str = $name;
                const FIRST: i16 = $first;
                const LAST: i16 = $last;
                const READS_ONLY: bool = apis!(@$effect);
            }
        )+

        /// Every API, for tests over all of them.
        #[cfg(test)]
        pub(super) const ALL: &[ApiFacts] = &[
            $( ApiFacts {
                name: $name,
                key: $key,
                used: ($first, $last),
                known: <m::$request as kafka_protocol::protocol::Message>::VERSIONS,
                decode: |bytes, version| {
                    let frame = super::wire::CheckedBuf::new(bytes);
                    super::wire::decode_body::<m::$response>(frame, version).is_ok()
                },
            }, )+
        ];
    };
    (@reads) => { true };
    (@changes) => { false };
}

apis! {
    reads "ApiVersions" 18 ApiVersionsRequest ApiVersionsResponse 3..=4;
    changes "SaslAuthenticate" 36 SaslAuthenticateRequest SaslAuthenticateResponse 2..=2;
    reads "Metadata" 3 MetadataRequest MetadataResponse 10..=13;
    reads "DescribeCluster" 60 DescribeClusterRequest DescribeClusterResponse 0..=2;
    changes "CreateTopics" 19 CreateTopicsRequest CreateTopicsResponse 7..=7;
    changes "DeleteTopics" 20 DeleteTopicsRequest DeleteTopicsResponse 6..=6;
    changes "CreatePartitions" 37 CreatePartitionsRequest CreatePartitionsResponse 2..=3;
    reads "DescribeConfigs" 32 DescribeConfigsRequest DescribeConfigsResponse 4..=4;
    changes "IncrementalAlterConfigs" 44 IncrementalAlterConfigsRequest IncrementalAlterConfigsResponse 1..=1;
    reads "DescribeAcls" 29 DescribeAclsRequest DescribeAclsResponse 2..=3;
    changes "CreateAcls" 30 CreateAclsRequest CreateAclsResponse 2..=3;
    changes "DeleteAcls" 31 DeleteAclsRequest DeleteAclsResponse 2..=3;
    reads "DescribeUserScramCredentials" 50 DescribeUserScramCredentialsRequest DescribeUserScramCredentialsResponse 0..=0;
    changes "AlterUserScramCredentials" 51 AlterUserScramCredentialsRequest AlterUserScramCredentialsResponse 0..=0;
    reads "DescribeQuorum" 55 DescribeQuorumRequest DescribeQuorumResponse 1..=2;
    changes "AddRaftVoter" 80 AddRaftVoterRequest AddRaftVoterResponse 0..=0;
    changes "RemoveRaftVoter" 81 RemoveRaftVoterRequest RemoveRaftVoterResponse 0..=0;
    changes "AlterPartitionReassignments" 45 AlterPartitionReassignmentsRequest AlterPartitionReassignmentsResponse 0..=1;
    reads "ListPartitionReassignments" 46 ListPartitionReassignmentsRequest ListPartitionReassignmentsResponse 0..=0;
    changes "ElectLeaders" 43 ElectLeadersRequest ElectLeadersResponse 2..=2;
    reads "DescribeLogDirs" 35 DescribeLogDirsRequest DescribeLogDirsResponse 4..=4;
    changes "UnregisterBroker" 64 UnregisterBrokerRequest UnregisterBrokerResponse 0..=0;
    changes "UpdateFeatures" 57 UpdateFeaturesRequest UpdateFeaturesResponse 1..=2;
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::ApiKey;

    #[test]
    fn every_version_that_we_use_is_flexible_and_known_to_the_codec() {
        for api in super::ALL {
            let (first, last) = api.used;
            let name = api.name;
            assert!(
                api.known.min <= first && first <= last && last <= api.known.max,
                "{name}"
            );
            let key = ApiKey::try_from(api.key).unwrap();
            assert_eq!(format!("{key:?}"), name, "key and name belong together");
            let header = key.request_header_version(first);
            assert_eq!(
                header, 2,
                "{name} {first} is not flexible, so its lengths are not checked"
            );
        }
    }
}
