{{/* A value as text; a large whole number without an exponent. */}}
{{- define "videoannotator.plain" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{- int64 . -}}{{- else -}}{{- . -}}{{- end -}}
{{- end -}}

{{/* The settings of api and scheduler as variables; a test compares the names with the program's. */}}
{{- define "videoannotator.settings" -}}
{{- $v := .Values -}}
VIDEOANNOTATOR_STORAGE__ROOT: /var/lib/videoannotator
{{- if eq $v.storage.kind "s3" }}
VIDEOANNOTATOR_STORAGE__URL: {{ $v.storage.s3.url | quote }}
VIDEOANNOTATOR_STORAGE__ENDPOINT: {{ $v.storage.s3.endpoint | quote }}
VIDEOANNOTATOR_STORAGE__REGION: {{ $v.storage.s3.region | quote }}
VIDEOANNOTATOR_STORAGE__SIGNED_SECONDS: {{ $v.storage.s3.signedSeconds | int64 | quote }}
VIDEOANNOTATOR_STORAGE__RESIGN_SECONDS: {{ $v.storage.s3.resignSeconds | int64 | quote }}
{{- end }}
VIDEOANNOTATOR_API__HOST: "0.0.0.0"
VIDEOANNOTATOR_API__PORT: "18011"
VIDEOANNOTATOR_API__GRPC_HOST: "0.0.0.0"
VIDEOANNOTATOR_API__GRPC_PORT: "50051"
VIDEOANNOTATOR_API__ROOT_PATH: {{ $v.api.rootPath | quote }}
VIDEOANNOTATOR_API__TRUSTED_PROXIES: {{ join "," $v.api.trustedProxies | quote }}
VIDEOANNOTATOR_API__ALLOWED_ORIGINS: {{ join "," $v.api.allowedOrigins | quote }}
VIDEOANNOTATOR_API__MAX_UPLOAD_BYTES: {{ include "videoannotator.plain" $v.api.maxUploadBytes | quote }}
VIDEOANNOTATOR_API__STOP_GRACE_SECONDS: {{ $v.api.stopGraceSeconds | int64 | quote }}
VIDEOANNOTATOR_AUTH__REQUIRED: {{ $v.auth.required | quote }}
{{- if $v.rpc.certificateSecret }}
VIDEOANNOTATOR_RPC__CERTIFICATE_FOLDER: /etc/videoannotator/certificates
VIDEOANNOTATOR_RPC__SERVER_NAME: {{ $v.rpc.serverName | quote }}
{{- end }}
VIDEOANNOTATOR_SCHEDULER__LAUNCHER: kubernetes
VIDEOANNOTATOR_SCHEDULER__LISTEN: "0.0.0.0:50052"
VIDEOANNOTATOR_SCHEDULER__MAX_WORKERS: {{ $v.scheduler.maxWorkers | int64 | quote }}
VIDEOANNOTATOR_SCHEDULER__MAX_GPU_WORKERS: {{ $v.scheduler.maxGpuWorkers | int64 | quote }}
VIDEOANNOTATOR_SCHEDULER__MAX_WORKERS_PER_OWNER: {{ $v.scheduler.maxWorkersPerOwner | int64 | quote }}
{{- /* Kueue decides what is placed: a window of ours before it would be a second queue. */}}
VIDEOANNOTATOR_SCHEDULER__UNPLACED_WINDOW: {{ ternary $v.scheduler.maxWorkers $v.scheduler.unplacedWindow $v.kueue.enabled | int64 | quote }}
VIDEOANNOTATOR_SCHEDULER__ORPHAN_GRACE_SECONDS: {{ $v.scheduler.orphanGraceSeconds | int64 | quote }}
VIDEOANNOTATOR_SCHEDULER__STOP_GRACE_SECONDS: {{ $v.scheduler.stopGraceSeconds | int64 | quote }}
VIDEOANNOTATOR_KUBERNETES__NAMESPACE: {{ .Release.Namespace }}
VIDEOANNOTATOR_KUBERNETES__RELEASE: {{ .Release.Name }}
VIDEOANNOTATOR_KUBERNETES__SITE_FILE: /etc/videoannotator/site/site.json
VIDEOANNOTATOR_TELEMETRY__LOG_LEVEL: {{ $v.logLevel }}
VIDEOANNOTATOR_TELEMETRY__LOG_FORMAT: json
VIDEOANNOTATOR_TELEMETRY__HOST: "0.0.0.0"
VIDEOANNOTATOR_TELEMETRY__PORT: "9090"
{{- end -}}

{{/* Those, and over them what the operator gave by name, as a map of texts. */}}
{{- define "videoannotator.allSettings" -}}
{{- $given := dict -}}
{{- range $name, $value := .Values.settings -}}{{- $_ := set $given $name (include "videoannotator.plain" $value) -}}{{- end -}}
{{- merge $given (include "videoannotator.settings" . | fromYaml) | toYaml -}}
{{- end -}}

{{/* The file that the scheduler reads: where workers run, with which image, how much they may use. */}}
{{- define "videoannotator.site" -}}
{{- $root := . -}}{{- $v := .Values -}}
{{- $pipelines := dict -}}
{{- range $name := splitList "," (include "videoannotator.enabledPipelines" .) -}}
{{- $pipeline := include "videoannotator.pipeline" (list $root $name) | fromJson -}}
{{- $placed := dict
      "image" (include "videoannotator.image" (list $root $pipeline.image))
      "cpu" (include "videoannotator.plain" $pipeline.cpu)
      "memory" (include "videoannotator.plain" $pipeline.memory)
      "ephemeralStorage" (include "videoannotator.plain" $pipeline.ephemeralStorage)
      "gpuResource" $pipeline.gpuResource
      "longestSeconds" $pipeline.longestSeconds
      "nodeSelector" ($pipeline.nodeSelector | default dict)
      "tolerations" ($pipeline.tolerations | default list)
      "runtimeClass" $pipeline.runtimeClassName
      "priorityClass" $pipeline.priorityClassName
      "schedulerName" $pipeline.schedulerName
      "labels" ($pipeline.labels | default dict) -}}
{{- if hasKey $pipeline "gpus" -}}{{- $_ := set $placed "gpus" $pipeline.gpus -}}{{- end -}}
{{- $_ := set $pipelines $name $placed -}}
{{- end -}}
{{- dict
      "release" .Release.Name
      "namespace" .Release.Namespace
      "pipelines" $pipelines
      "imagePullPolicy" $v.image.pullPolicy
      "imagePullSecrets" $v.image.pullSecrets
      "serviceAccount" (printf "%s-worker" (include "videoannotator.fullname" .))
      "volumeClaim" (ternary (include "videoannotator.storageClaim" .) "" (eq $v.storage.kind "volume"))
      "modelsClaim" $v.models.existingClaim
      "certificateSecret" $v.rpc.certificateSecret
      "runAsUser" $v.security.runAsUser
      "runAsGroup" $v.security.runAsGroup
      "fsGroup" $v.security.fsGroup
      "logLevel" $v.logLevel
      "orphanGraceSeconds" $v.scheduler.orphanGraceSeconds
      "stopGraceSeconds" $v.scheduler.stopGraceSeconds
    | toPrettyJson -}}
{{- end -}}
