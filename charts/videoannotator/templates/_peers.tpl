{{/* Everywhere but the metadata service, which gives out the node's own credentials. */}}
{{- define "videoannotator.everywhere" -}}
- ipBlock:
    cidr: 0.0.0.0/0
    except: [169.254.169.254/32]
- namespaceSelector: {}
{{- end -}}

{{- define "videoannotator.ports" -}}
{{- range . }}
- {protocol: TCP, port: {{ . }}}
{{- end }}
{{- end -}}

{{/* Rules of egress. Each takes the root. */}}
{{- define "videoannotator.toDns" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns.peers | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.dns.ports }}
    - {protocol: UDP, port: {{ . }}}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
{{- end -}}

{{- define "videoannotator.toDatabase" -}}
- to:
    {{- if .Values.networkPolicy.database.peers }}
    {{- toYaml .Values.networkPolicy.database.peers | nindent 4 }}
    {{- else }}
    {{- include "videoannotator.everywhere" . | nindent 4 }}
    {{- end }}
  ports:
    {{- include "videoannotator.ports" .Values.networkPolicy.database.ports | nindent 4 }}
{{- end -}}

{{- define "videoannotator.toObjectStore" -}}
{{- if eq .Values.storage.kind "s3" -}}
- to:
    {{- if .Values.networkPolicy.objectStore.peers }}
    {{- toYaml .Values.networkPolicy.objectStore.peers | nindent 4 }}
    {{- else }}
    {{- include "videoannotator.everywhere" . | nindent 4 }}
    {{- end }}
  ports:
    {{- include "videoannotator.ports" .Values.networkPolicy.objectStore.ports | nindent 4 }}
{{- end -}}
{{- end -}}

{{- define "videoannotator.toApiServer" -}}
- to:
    {{- range .Values.networkPolicy.apiServer.cidrs }}
    - ipBlock:
        cidr: {{ . }}
        {{- if eq . "0.0.0.0/0" }}
        except: [169.254.169.254/32]
        {{- end }}
    {{- end }}
  ports:
    {{- include "videoannotator.ports" .Values.networkPolicy.apiServer.ports | nindent 4 }}
{{- end -}}

{{/* From or to the pods of a component: (list $ "api" PORT). */}}
{{- define "videoannotator.pods" -}}
- podSelector:
    matchLabels:
      {{- include "videoannotator.selector" . | nindent 6 }}
{{- end -}}

{{/* Head of a policy for a component: (list $ "api"). */}}
{{- define "videoannotator.policyFor" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "videoannotator.fullname" (index . 0) }}-{{ index . 1 }}
  labels:
    {{- include "videoannotator.labels" . | nindent 4 }}
{{- end -}}
