#!/bin/sh
# Starts the agent: the copy on this disk or the one in S3, never without its digest.
umask 077
R=@REGION@ B=@BUCKET@ K=@KEY@ O=@OWNER@ H=@SHA256@ D=/var/lib/msk/bin
mkdir -p $D /run/msk
A=$D/$H
up() { read -r u _ </proc/uptime; echo ${u%.*}; }
good() { echo "$H  $1" | sha256sum -c >/dev/null 2>&1; }
[ -s /run/msk/began ] || up >/run/msk/began
read -r T </run/msk/began
# Who has neither a volume nor ever had a Kafka lets another machine try, once an hour.
give_up() {
  [ $(($(up) - T)) -lt 3600 ] || [ -e /var/lib/msk/kafka-ran ] || [ -e /run/msk/attached ] || systemctl poweroff
}
meta() { curl -sfm 5 -H "X-aws-ec2-metadata-token: $t" $m/meta-data/iam/security-credentials/$1; }
value() { echo "$c" | tr -d '\n' | sed "s/.*\"$1\" *: *\"\([^\"]*\)\".*/\1/"; }
fetch() {
  if command -v aws >/dev/null && aws s3api get-object --region $R --bucket $B --key $K \
    --expected-bucket-owner $O "$1" >/dev/null; then return; fi
  m=http://169.254.169.254/latest
  t=$(curl -sfm 5 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $m/api/token) &&
    n=$(meta) && c=$(meta "$n") || return
  curl -sSf --connect-timeout 5 -m 900 -o "$1" -K - "${AWS_ENDPOINT_URL_S3:-@S3@}/$B/$K" <<E
user = "$(value AccessKeyId):$(value SecretAccessKey)"
aws-sigv4 = "aws:amz:$R:s3"
header = "x-amz-security-token: $(value Token)"
header = "x-amz-expected-bucket-owner: $O"
header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"
E
}
w=1
give_up
until good $A; do
  fetch $A.new && good $A.new && mv $A.new $A && break
  echo "no agent from s3://$B/$K; again in $w s"
  rm -f $A.new
  give_up
  sleep $w
  w=$((w < 32 ? w * 2 : 60))
done
chmod 700 $A
exec $A machine /etc/msk/boot.json
