{{/* The name of an image: (list $ .Values.image.control). The site's registry comes first, and a digest counts before a tag. */}}
{{- define "videoannotator.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $registry := $root.Values.global.imageRegistry -}}
{{- $name := ternary (printf "%s/%s" $registry $image.repository) $image.repository (ne $registry "") -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default $root.Values.image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* One pipeline with the defaults filled in, as JSON: (list $ "scene_detection"). */}}
{{- define "videoannotator.pipeline" -}}
{{- $root := index . 0 -}}
{{- $own := index $root.Values.pipelines (index . 1) -}}
{{- $defaults := $root.Values.pipelineDefaults -}}
{{- $whole := merge (deepCopy $own) (deepCopy $defaults) -}}
{{- if hasKey $own "tolerations" -}}{{- $_ := set $whole "tolerations" $own.tolerations -}}{{- end -}}
{{- if $root.Values.kueue.enabled -}}
{{- $_ := set $whole "labels" (merge (dict "kueue.x-k8s.io/queue-name" $root.Values.kueue.queue) (deepCopy ($whole.labels | default dict))) -}}
{{- end -}}
{{- toJson $whole -}}
{{- end -}}

{{/* The names of the pipelines that run here, with commas between. */}}
{{- define "videoannotator.enabledPipelines" -}}
{{- $names := list -}}
{{- range $name, $pipeline := .Values.pipelines -}}
{{- if ne (toString $pipeline.enabled) "false" -}}{{- $names = append $names $name -}}{{- end -}}
{{- end -}}
{{- if not $names -}}
{{- include "videoannotator.refuse" (list "no pipeline is enabled." "set pipelines.NAME.enabled to true for at least one.") -}}
{{- end -}}
{{- join "," ($names | sortAlpha) -}}
{{- end -}}
