# What a person sees on the screen: a line per stage, a line per candidate, warnings and errors. Snakemake's own
# messages (reasons, files, progress) are in its log file in any case, and on the screen if they are asked for:
# by a dry run, --verbose, --debug-dag, --printshellcmds or --quiet with anything, e.g. `--quiet host`.
import logging

from snakemake.logging import DefaultFormatter, get_event, logger
from snakemake_interface_logger_plugins.common import LogEvent

UNSEEN_EVENTS = {
    LogEvent.GROUP_INFO,
    LogEvent.JOB_FINISHED,
    LogEvent.JOB_STARTED,
    LogEvent.PROGRESS,
    LogEvent.RESOURCES_INFO,
    LogEvent.RUN_INFO,
    LogEvent.SHELLCMD,
    LogEvent.WORKFLOW_STARTED,
}
UNSEEN_WORDS = re.compile(
    "Assuming |Building DAG|Execute |Provided |Rules claiming|Select jobs|Using shell"
)


class StageFormatter(DefaultFormatter):
    def format_job_info(self, msg):
        return msg["rule_msg"]


class StageFilter:
    def __init__(self, handler):
        self.handler = handler

    def filter(self, record):
        if record.levelno >= logging.WARNING:
            return True
        # Of the handler's: without it there is an empty line before every stage.
        self.handler.last_msg_was_job_info = True
        if get_event(record) == LogEvent.JOB_INFO:
            # A scored candidate has a line of its own, and local rules take seconds.
            unseen = {"score", *getattr(workflow, "_localrules", ())}
            return bool(record.rule_msg) and record.rule_name not in unseen
        is_noise = UNSEEN_WORDS.match(str(record.msg))
        return get_event(record) not in UNSEEN_EVENTS and not is_noise


def show_stages():
    asked = workflow.output_settings
    details = asked.verbose or asked.debug_dag or asked.printshellcmds or asked.quiet
    if details or asked.dryrun or not workflow.is_main_process:
        return
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            handler.setFormatter(StageFormatter(asked.quiet, asked.show_failed_logs))
            handler.addFilter(StageFilter(handler))


show_stages()
