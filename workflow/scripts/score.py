from tgsage.errors import reporting

with reporting(snakemake.log[0]):
    from tgsage import scoring, search, spaces, tasks, teacher
    from tgsage.config.spaces import SpaceSource
    from tgsage.config.teacher import Scoring
    from tgsage.runs import rsa as rsa_file
    from tgsage.runs.files import read_json
    from tgsage.settings import section
    from tgsage.store import Store

    task = tasks.load(snakemake.input.task)
    teachers = [teacher.load(file) for file in snakemake.input.get("teacher", [])]
    observed = [teacher.load(file) for file in snakemake.input.get("observed", [])]
    for training, rsa in zip(snakemake.input.trainings, snakemake.output.rsas, strict=True):
        scored = scoring.score_candidate(
            read_json(training),
            task,
            next(iter(teachers), None),
            Scoring(**snakemake.params.scoring),
            Store(snakemake.params.store),
            spaces.get(section(SpaceSource, snakemake.params.space)),
            snakemake.params.device,
            observed=next(iter(observed), None),
        )
        rsa_file.save(scored, rsa)
        search.announce(rsa, snakemake.params.told, snakemake.log[0])
