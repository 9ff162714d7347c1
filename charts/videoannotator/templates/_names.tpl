{{/* Names and labels. */}}

{{- define "videoannotator.fullname" -}}
{{- if contains "videoannotator" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-videoannotator" (.Release.Name | trunc 25 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods of a component: (list $ "api"). */}}
{{- define "videoannotator.selector" -}}
app.kubernetes.io/name: videoannotator
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of an object of a component: (list $ "api"). */}}
{{- define "videoannotator.labels" -}}
{{ include "videoannotator.selector" . }}
app.kubernetes.io/part-of: videoannotator
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" (index . 0).Chart.Name (index . 0).Chart.Version }}
{{- end -}}

{{/* All pods of the release, workers too. */}}
{{- define "videoannotator.everyPod" -}}
app.kubernetes.io/name: videoannotator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "videoannotator.databaseSecret" -}}
{{- .Values.database.existingSecret | default (printf "%s-database" (include "videoannotator.fullname" .)) -}}
{{- end -}}

{{- define "videoannotator.databaseKey" -}}
{{- ternary .Values.database.secretKey "url" (ne .Values.database.existingSecret "") -}}
{{- end -}}

{{- define "videoannotator.sharedSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-secrets" (include "videoannotator.fullname" .)) -}}
{{- end -}}

{{- define "videoannotator.storageClaim" -}}
{{- .Values.storage.volume.existingClaim | default (printf "%s-storage" (include "videoannotator.fullname" .)) -}}
{{- end -}}

{{/* Annotations of what is made before the release: (list WEIGHT). It goes when all of it is done. */}}
{{- define "videoannotator.before" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ index . 0 | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* An API that the cluster must have: (list $ "group/version" "value"). Stops with a hint. */}}
{{- define "videoannotator.needs" -}}
{{- $root := index . 0 -}}{{- $api := index . 1 -}}
{{- if not ($root.Capabilities.APIVersions.Has $api) -}}
{{- fail (printf "\n\nVideoAnnotator: %s needs the API %s, which this cluster does not have.\nHint: install the Prometheus operator first, or leave %s at its default. With 'helm template' add --api-versions %s.\n" (index . 2) $api (index . 2) $api) -}}
{{- end -}}
{{- end -}}
