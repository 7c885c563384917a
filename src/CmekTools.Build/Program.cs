using CmekTools.Build.Help;
using CmekTools.Build.Package;

try
{
    switch (args)
    {
        case ["help", string docs, string manifest, string output]:
            IReadOnlyList<string> problems = HelpMaker.Make(docs, manifest, output);
            foreach (string problem in problems)
            {
                Console.Error.WriteLine(problem);
            }

            return problems.Count == 0 ? 0 : 1;
        case ["pack", string module, string assets, string output]:
            Console.WriteLine(Packer.Pack(module, assets, output));
            return 0;
        default:
            Console.Error.WriteLine("Usage: cmek-build help DOCS MANIFEST OUTPUT | pack MODULE ASSETS OUTPUT");
            return 2;
    }
}
catch (Exception e) when (e is DocsException or InvalidDataException)
{
    Console.Error.WriteLine(e.Message);
    return 1;
}
