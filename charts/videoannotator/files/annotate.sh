# Sends a video with known cuts, waits for it, and reads what was found.
job=$(videoannotator job submit /tmp/sample.mp4 --pipelines "$PIPELINE")
echo "Job $job"
videoannotator job watch "$job" || {
  videoannotator job status "$job" || true
  videoannotator scheduler status || true
  exit 1
}
videoannotator job results "$job"
videoannotator job download "$job" --output /tmp/results
find /tmp/results -type f -size +0 | grep -q . || { echo "No result file has come."; exit 1; }
echo "VideoAnnotator annotated a video in this cluster."
