{{/* How many pods of a component a drain may take: (list $ "api" REPLICAS). None for a single pod, which it would keep for ever. */}}
{{- define "videoannotator.budget" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $budget := (index $root.Values $component).podDisruptionBudget -}}
{{- if and $budget.enabled (gt (int (index . 2)) 1) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "videoannotator.fullname" $root }}-{{ $component }}
  labels:
    {{- include "videoannotator.labels" (list $root $component) | nindent 4 }}
spec:
  maxUnavailable: {{ $budget.maxUnavailable }}
  # A pod that is not ready protects nothing.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "videoannotator.selector" (list $root $component) | nindent 6 }}
{{- end -}}
{{- end -}}
