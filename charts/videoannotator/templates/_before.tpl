{{/* What runs before the release is there. */}}

{{- define "videoannotator.migrationSpec" -}}
backoffLimit: 3
activeDeadlineSeconds: {{ (index . 0).Values.database.migration.deadlineSeconds }}
template:
  metadata:
    labels:
      {{- include "videoannotator.labels" (list (index . 0) "migration") | nindent 6 }}
  spec:
    restartPolicy: Never
    automountServiceAccountToken: false
    {{- include "videoannotator.podSecurity" (index . 0) | nindent 4 }}
    containers:
      - name: migration
        {{- include "videoannotator.controlImage" (index . 0) | nindent 8 }}
        command: [python, -m, videoannotator.store, upgrade]
        env:
          {{- include "videoannotator.databaseVariable" (list (index . 0) (index . 1)) | nindent 10 }}
        terminationMessagePolicy: FallbackToLogsOnError
        resources:
          {{- toYaml (index . 0).Values.database.migration.resources | nindent 10 }}
        {{- include "videoannotator.containerSecurity" (index . 0) | nindent 8 }}
        volumeMounts:
          - {name: tmp, mountPath: /tmp}
    volumes:
      - name: tmp
        emptyDir: {}
{{- end -}}

{{- define "videoannotator.secretsMetadata" -}}
{{- $root := index . 0 -}}
metadata:
  name: {{ include "videoannotator.fullname" $root }}-make-secrets{{ index . 2 }}
  labels:
    {{- include "videoannotator.labels" (list $root "make-secrets") | nindent 4 }}
  {{- if eq $root.Values.database.migration.mode "hook" }}
  annotations:
    {{- include "videoannotator.before" (list (index . 1)) | nindent 4 }}
  {{- end }}
{{- end -}}

{{- define "videoannotator.secretsSpec" -}}
backoffLimit: 3
activeDeadlineSeconds: 300
template:
  metadata:
    labels:
      {{- include "videoannotator.labels" (list . "make-secrets") | nindent 6 }}
  spec:
    restartPolicy: Never
    serviceAccountName: {{ include "videoannotator.fullname" . }}-make-secrets
    automountServiceAccountToken: true
    {{- include "videoannotator.podSecurity" . | nindent 4 }}
    containers:
      - name: make-secrets
        {{- include "videoannotator.controlImage" . | nindent 8 }}
        command: [python, /program/make_secrets.py]
        args:
          - $(KUBERNETES_SERVICE_HOST)
          - $(KUBERNETES_SERVICE_PORT)
          - {{ include "videoannotator.sharedSecret" . }}
          - {{ .Values.auth.internalTokenKey }}
          - {{ .Values.auth.workerKeyKey }}
          - {{ .Values.auth.adminKeyKey }}
          - app.kubernetes.io/name=videoannotator
          - app.kubernetes.io/instance={{ .Release.Name }}
        terminationMessagePolicy: FallbackToLogsOnError
        resources:
          requests: {cpu: 20m, memory: 32Mi}
          limits: {memory: 128Mi}
        {{- include "videoannotator.containerSecurity" . | nindent 8 }}
        volumeMounts:
          - {name: program, mountPath: /program, readOnly: true}
    volumes:
      - name: program
        configMap:
          name: {{ include "videoannotator.fullname" . }}-make-secrets
{{- end -}}
