// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Save it as "app/websync/token/route.js": it gives the visitor's own pages the visitor's own token.
import { auth0 } from "@/lib/auth0"; // where your Auth0Client is made

export async function GET() {
  let token = null;
  try {
    token = (await auth0.getSession())?.tokenSet.idToken ?? null;
  } catch {
    // Nobody is logged in.
  }
  return Response.json({ token }, { headers: { "cache-control": "no-store" } });
}
