{{/* What no schema can say: values that do not fit together. Each stops with a hint. */}}
{{- define "videoannotator.refuse" -}}
{{- fail (printf "\n\nVideoAnnotator: %s\nHint: %s\n" (index . 0) (index . 1)) -}}
{{- end -}}

{{- define "videoannotator.checks" -}}
{{- include "videoannotator.checkDatabase" . -}}
{{- include "videoannotator.checkStorage" . -}}
{{- include "videoannotator.checkPipelines" . -}}
{{- include "videoannotator.checkApi" . -}}
{{- end -}}

{{- define "videoannotator.checkDatabase" -}}
{{- $database := .Values.database -}}
{{- if and (not $database.existingSecret) (not $database.url) -}}
{{- include "videoannotator.refuse" (list "no database is named." "make a Secret with the key url (postgresql://USER:PASSWORD@HOST/NAME) and give its name as database.existingSecret. For a trial, k8s/trial-postgresql.yaml brings a database.") -}}
{{- end -}}
{{- if and $database.existingSecret $database.url -}}
{{- include "videoannotator.refuse" (list "database.existingSecret and database.url are both given." "keep database.existingSecret, and remove database.url.") -}}
{{- end -}}
{{- if hasPrefix "sqlite" $database.url -}}
{{- include "videoannotator.refuse" (list "database.url names SQLite, which several pods cannot share, least of all on a network file system." "use PostgreSQL: postgresql://USER:PASSWORD@HOST/NAME. On one machine, without a cluster, 'videoannotator serve' uses SQLite.") -}}
{{- end -}}
{{- if and $database.url (not (regexMatch "^postgres(ql)?(\\+psycopg)?://.+" $database.url)) -}}
{{- include "videoannotator.refuse" (list "database.url is no address of a PostgreSQL database." "write it as postgresql://USER:PASSWORD@HOST/NAME.") -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- if regexMatch "__(URL|INTERNAL_TOKEN|WORKER_KEY|FIRST_ADMIN_KEY|ACCESS_KEY_ID|SECRET_ACCESS_KEY)$" $name -}}
{{- include "videoannotator.refuse" (list (printf "settings.%s would stand in a ConfigMap, where everybody reads it, or undo what other values say." $name) "name a Secret instead: database.existingSecret, auth.existingSecret or storage.s3.existingSecret; the bucket is storage.s3.url.") -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "videoannotator.checkStorage" -}}
{{- $storage := .Values.storage -}}
{{- if eq $storage.kind "s3" -}}
{{- if not $storage.s3.url -}}
{{- include "videoannotator.refuse" (list "storage.kind is s3, and no bucket is named." "give storage.s3.url, as s3://BUCKET/PREFIX.") -}}
{{- end -}}
{{- if not $storage.s3.existingSecret -}}
{{- include "videoannotator.refuse" (list "storage.kind is s3, and no Secret with its keys is named." "make a Secret with access-key-id and secret-access-key, and give its name as storage.s3.existingSecret.") -}}
{{- end -}}
{{- if ge (int $storage.s3.resignSeconds) (int $storage.s3.signedSeconds) -}}
{{- include "videoannotator.refuse" (list "storage.s3.resignSeconds is not less than storage.s3.signedSeconds: workers would hold addresses that have expired." "half of signedSeconds is a good choice.") -}}
{{- end -}}
{{- if $storage.volume.existingClaim -}}
{{- include "videoannotator.refuse" (list "storage.kind is s3, and storage.volume.existingClaim names a volume." "choose one: remove the claim, or set storage.kind to volume.") -}}
{{- end -}}
{{- else if $storage.s3.url -}}
{{- include "videoannotator.refuse" (list "storage.kind is volume, and storage.s3.url names a bucket." "choose one: remove the bucket, or set storage.kind to s3.") -}}
{{- end -}}
{{- end -}}

{{- define "videoannotator.checkPipelines" -}}
{{- $root := . -}}
{{- $enabled := include "videoannotator.enabledPipelines" . -}}
{{- if not (has .Values.tests.pipeline (splitList "," $enabled)) -}}
{{- include "videoannotator.refuse" (list (printf "tests.pipeline is %s, which is not enabled." .Values.tests.pipeline) (printf "name one of: %s." $enabled)) -}}
{{- end -}}
{{- if and .Values.kueue.enabled (not .Values.kueue.queue) -}}
{{- include "videoannotator.refuse" (list "kueue.enabled is true, and no queue is named." "give the name of a LocalQueue of this namespace as kueue.queue.") -}}
{{- end -}}
{{- if and .Values.kueue.queue (not .Values.kueue.enabled) -}}
{{- include "videoannotator.refuse" (list "kueue.queue is given, and kueue.enabled is false." "set kueue.enabled to true, or remove kueue.queue.") -}}
{{- end -}}
{{- range $name, $pipeline := merge (dict "pipelineDefaults" .Values.pipelineDefaults) .Values.pipelines -}}
{{- $queue := get ($pipeline.labels | default dict) "kueue.x-k8s.io/queue-name" -}}
{{- if $queue -}}
{{- include "videoannotator.refuse" (list (printf "%s asks for the queue %s by a label, beside kueue.queue: one worker cannot wait in two queues." $name $queue) "remove the label kueue.x-k8s.io/queue-name, set kueue.enabled and name the one queue as kueue.queue.") -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "videoannotator.checkApi" -}}
{{- $api := .Values.api -}}
{{- if and $api.autoscaling.enabled (gt (int $api.autoscaling.minReplicas) (int $api.autoscaling.maxReplicas)) -}}
{{- include "videoannotator.refuse" (list "api.autoscaling.minReplicas is more than maxReplicas." "swap them.") -}}
{{- end -}}
{{- if and $api.autoscaling.enabled (not (dig "requests" "cpu" "" $api.resources)) -}}
{{- include "videoannotator.refuse" (list "api.autoscaling counts percent of the requested cpu, and api.resources requests none." "give api.resources.requests.cpu.") -}}
{{- end -}}
{{- if and $api.ingress.enabled (not $api.ingress.host) -}}
{{- include "videoannotator.refuse" (list "api.ingress.enabled is true, and no host is named." "give api.ingress.host.") -}}
{{- end -}}
{{- if and $api.ingress.grpc.enabled (or (not $api.ingress.grpc.host) (eq $api.ingress.grpc.host $api.ingress.host)) -}}
{{- include "videoannotator.refuse" (list "the Ingress for gRPC needs a host name of its own: HTTP/2 to us is chosen per host." "give api.ingress.grpc.host another name than api.ingress.host.") -}}
{{- end -}}
{{- if and .Values.rpc.serverName (not .Values.rpc.certificateSecret) -}}
{{- include "videoannotator.refuse" (list "rpc.serverName is given, and no certificate." "name a Secret with tls.crt, tls.key and ca.crt as rpc.certificateSecret.") -}}
{{- end -}}
{{- if and .Values.rpc.certificateSecret (not .Values.rpc.serverName) -}}
{{- include "videoannotator.refuse" (list "rpc.certificateSecret is given, and no name: pods are called by address, which no certificate has." "give the name in the certificates as rpc.serverName.") -}}
{{- end -}}
{{- end -}}
