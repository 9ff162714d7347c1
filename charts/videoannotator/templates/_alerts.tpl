{{/* One alert: (list $ "Name" "severity" "for" "expression" "summary"). */}}
{{- define "videoannotator.alert" -}}
{{- $name := index . 1 -}}
- alert: {{ $name }}
  expr: {{ index . 4 | quote }}
  for: {{ index . 3 }}
  labels:
    severity: {{ index . 2 }}
  annotations:
    summary: {{ index . 5 | quote }}
    runbook_url: {{ (index . 0).Values.monitoring.rules.runbookUrl | trimSuffix "/" }}/{{ $name }}.md
{{- end -}}

{{/* Whether a counter has grown within an hour. One that appeared with its first event was never 0, so increase() would miss that event. */}}
{{- define "videoannotator.risen" -}}
sum by (pipeline, code) (({{ . }} - ({{ . }} offset 1h)) or {{ . }}) > 0
{{- end -}}
